//! What the checker says of onlookers of elections.

use gorilla_faults::{
    check::{Property, Violation, check},
    history::{Acquire, End, Event, Grant, History, Kind, Look, Moment, SECOND, Use},
};

/// A client leads in this term from `answered`, for three seconds from when it asked.
fn leads(term: u64, asked: Moment, answered: Moment) -> Event {
    let grant = Some(Grant { fence: term, token: term, ttl: 3 * SECOND, part: None });
    let (resource, owner, answered) = ("a".into(), format!("leader {term}"), Some(answered));
    Event::Acquire(Acquire { resource, owner, asked, answered, grant, known: true, ..Acquire::default() })
}

fn resigns(term: u64, asked: Moment) -> Event {
    let end = End::Done(Grant::default());
    let (resource, answered) = ("a".into(), Some(asked + SECOND / 10));
    Event::Use(Use { resource, fence: term, token: term, key: None, asked, answered, kind: Kind::Release, end })
}

fn look(term: Option<u64>, began: Moment, answered: Moment) -> Event {
    Event::Look(Look { resource: "a".into(), term, began, answered })
}

fn broken(events: Vec<Event>) -> Vec<Property> {
    let violations = check(&History { events });
    violations.iter().for_each(|violation| println!("{violation}"));
    violations.iter().map(Violation::property).collect()
}

/// The first leads from second 1 to 2, the next from second 3 on.
fn two_leaders() -> Vec<Event> {
    vec![leads(5, 0, SECOND), resigns(5, 2 * SECOND), leads(9, 2 * SECOND, 3 * SECOND)]
}

#[test]
fn looks_that_tell_what_was_so_at_some_time_of_theirs_are_fine() {
    let looks = [
        look(None, 0, SECOND / 2),
        look(Some(5), SECOND, SECOND + 9),
        // Until the answer of the resignation, the first may be told or nobody, and until that of the next campaign too.
        look(Some(5), 2 * SECOND, 2 * SECOND + 9),
        look(None, 2 * SECOND, 2 * SECOND + 9),
        // It began before the second was told.
        look(Some(5), 3 * SECOND - 1, 4 * SECOND),
        look(Some(9), 3 * SECOND, 4 * SECOND),
        // The second may have ended.
        look(None, 4 * SECOND, 5 * SECOND),
    ];
    assert_eq!(broken([two_leaders(), looks.to_vec()].concat()), []);
}

#[test]
fn a_term_below_one_that_was_told_before_is_found() {
    let later = SECOND * 6;
    assert_eq!(broken([two_leaders(), vec![look(Some(5), later, later + 9)]].concat()), [Property::Leaders]);
    // Another onlooker had seen the later term.
    let looks = vec![look(Some(7), 0, SECOND), look(Some(6), SECOND + 1, 2 * SECOND)];
    assert_eq!(broken(looks), [Property::Leaders]);
    let at_once = vec![look(Some(7), 0, SECOND), look(Some(6), SECOND, 2 * SECOND)];
    assert_eq!(broken(at_once), []);
}

#[test]
fn a_leader_that_is_not_seen_is_found() {
    let during = 3 * SECOND + SECOND / 2;
    assert_eq!(broken([two_leaders(), vec![look(None, during, during + 9)]].concat()), [Property::Leaders]);
    assert_eq!(broken([two_leaders(), vec![look(Some(11), during, during + 9)]].concat()), [Property::Leaders]);
    // Its lease may have been over when the look was answered.
    assert_eq!(broken([two_leaders(), vec![look(None, during, 5 * SECOND)]].concat()), []);
}

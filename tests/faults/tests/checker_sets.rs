//! What the checker says of sets.

use gorilla_faults::{
    check::{Property, Violation, check},
    history::{Acquire, AcquireSet, Break, Event, Grant, History, Moment, SECOND, ToldSet},
};

const SET: &str = "the set";

/// A set of a and b that is asked for at second 1, waits for 2 s at most, and is answered at second 2 that it is refused.
fn refused() -> AcquireSet {
    let part = |resource: &str| Acquire {
        resource: resource.into(),
        owner: SET.into(),
        waits: true,
        asked: SECOND,
        answered: Some(2 * SECOND),
        known: true,
        in_set: true,
        ..Acquire::default()
    };
    AcquireSet {
        owner: SET.into(),
        wait: 2 * SECOND,
        asked: SECOND,
        answered: Some(2 * SECOND),
        known: true,
        parts: vec![part("b"), part("a")],
        ..AcquireSet::default()
    }
}

/// The same set, granted with leases of 3 s that began after half a second.
fn granted() -> AcquireSet {
    let mut set = refused();
    for (part, fence) in set.parts.iter_mut().zip([7, 5]) {
        part.waited = SECOND / 2;
        part.grant = Some(Grant { fence, token: fence, ttl: 3 * SECOND, part: None });
    }
    set.told = Some(ToldSet { resources: vec!["b".into(), "a".into()], ttl: 3 * SECOND });
    set
}

/// A set of whose outcome nobody was told.
fn unknown() -> AcquireSet {
    let mut set = AcquireSet { known: false, ..refused() };
    set.parts.iter_mut().for_each(|part| part.known = false);
    set
}

fn stood(resource: &str, fence: u64, from: Moment, until: Moment) -> Event {
    Event::Stood { resource: resource.into(), fence, owner: SET.into(), from, until }
}

fn waited(resource: &str, from: Moment, until: Moment) -> Event {
    Event::Place { resource: resource.into(), owner: SET.into(), arrived: 1, from, until }
}

/// Another client's grant of a lock.
fn other(resource: &str, fence: u64, asked: Moment, answered: Moment, ttl: Moment) -> Event {
    let grant = Some(Grant { fence, token: fence, ttl, part: None });
    let (resource, owner, answered) = (resource.into(), "other".into(), Some(answered));
    Event::Acquire(Acquire { resource, owner, asked, answered, grant, known: true, ..Acquire::default() })
}

fn broken(events: Vec<Event>) -> Vec<Property> {
    let violations = check(&History { events });
    violations.iter().for_each(|violation| println!("{violation}"));
    violations.iter().map(Violation::property).collect()
}

#[test]
fn a_set_that_is_granted_whole_and_one_that_is_refused_and_leaves_nothing_are_fine() {
    assert_eq!(broken(vec![Event::Set(granted())]), []);
    let parts = [stood("a", 5, SECOND, 2 * SECOND), waited("b", SECOND, 2 * SECOND)];
    assert_eq!(broken([vec![Event::Set(refused())], parts.to_vec()].concat()), []);
    assert_eq!(broken([vec![Event::Set(granted())], parts.to_vec()].concat()), []);
}

#[test]
fn a_grant_of_other_locks_than_were_asked_for_is_found() {
    let mut set = granted();
    set.told = Some(ToldSet { resources: vec!["a".into(), "b".into()], ttl: 3 * SECOND });
    assert_eq!(broken(vec![Event::Set(set)]), [Property::Sets], "another order");
    let mut set = granted();
    set.parts[0].grant = None;
    set.told = Some(ToldSet { resources: vec!["a".into()], ttl: 3 * SECOND });
    assert_eq!(broken(vec![Event::Set(set)]), [Property::Sets], "one is missing");
    let mut set = granted();
    set.told = set.told.map(|told| ToldSet { ttl: 3 * SECOND + 1, ..told });
    assert_eq!(broken(vec![Event::Set(set)]), [Property::Sets], "for too long");
}

#[test]
fn the_leases_of_a_set_count_from_when_its_wait_was_over() {
    // From 1 s, and half a second of waiting, for 3 s.
    let next = |answered| vec![Event::Set(granted()), other("a", 9, 3 * SECOND, answered, 3 * SECOND)];
    assert_eq!(broken(next(4 * SECOND + SECOND / 2)), []);
    assert_eq!(broken(next(4 * SECOND + SECOND / 2 - 1)), [Property::Exclusion]);
}

#[test]
fn a_lock_that_was_lost_before_the_set_was_answered_is_found() {
    // Somebody had it after the set, and has left it again when the set is answered.
    let lost = vec![Event::Set(granted()), other("a", 6, SECOND, SECOND + 9, 9)];
    assert_eq!(broken(lost.clone()), [Property::Sets]);
    let breaks = |done| Event::Break(Break { resource: "a".into(), fence: 5, asked: SECOND, done: Some(done) });
    let behind_the_commit = breaks(SECOND + SECOND / 2);
    assert_eq!(broken([lost.clone(), vec![behind_the_commit]].concat()), []);
    let before_the_commit = breaks(SECOND + SECOND / 2 - 1);
    assert_eq!(broken([lost, vec![before_the_commit]].concat()), [Property::Sets]);
    assert_eq!(
        broken(vec![Event::Set(granted()), other("a", 4, SECOND, SECOND + 9, 9)]),
        [],
        "that was before the set"
    );
}

#[test]
fn a_part_that_stands_when_its_set_was_refused_is_found() {
    let left = |until| vec![Event::Set(refused()), stood("a", 5, SECOND, until)];
    assert_eq!(broken(left(2 * SECOND)), []);
    assert_eq!(broken(left(2 * SECOND + 1)), [Property::Sets]);
    // A fault is no excuse: a refusal is answered when Redis has confirmed that the parts are given back.
    let fault = Event::Fault { what: "any".into(), from: SECOND, until: 3 * SECOND };
    assert_eq!(broken([left(3 * SECOND), vec![fault]].concat()), [Property::Sets]);
    // A copy of the request may hold what was refused to this one.
    assert_eq!(broken([left(3 * SECOND), vec![Event::Set(refused())]].concat()), []);
}

#[test]
fn a_part_of_a_set_that_nobody_was_told_of_is_found_when_it_stands_for_longer_than_a_hold() {
    let left = |until| vec![Event::Set(unknown()), stood("a", 5, SECOND, until)];
    assert_eq!(broken(left(3 * SECOND)), []);
    // The cancellation takes a second at most.
    assert_eq!(broken(left(4 * SECOND)), [Property::NoOrphans]);
    assert_eq!(broken(left(9 * SECOND)), [Property::NoOrphans, Property::Sets]);
    // The replica was killed: the hold ends, and with it the part.
    let killed = |until| {
        let fault = Event::Fault { what: "killed".into(), from: SECOND, until: 2 * SECOND };
        broken([left(until), vec![fault]].concat())
    };
    assert_eq!(killed(8 * SECOND), []);
    assert_eq!(killed(9 * SECOND), [Property::Sets]);
    assert_eq!(broken([left(4 * SECOND), vec![Event::Set(granted())]].concat()), [], "a copy was told of it");
}

#[test]
fn the_parts_of_a_set_that_waits_are_no_orphans_however_long_it_waits() {
    let mut set = granted();
    (set.wait, set.answered) = (9 * SECOND, Some(9 * SECOND));
    for part in &mut set.parts {
        (part.answered, part.waited) = (Some(9 * SECOND), 7 * SECOND);
    }
    // The grant of another attempt of the same set, which was given back.
    assert_eq!(broken(vec![Event::Set(set), stood("a", 3, SECOND, 8 * SECOND)]), []);
}

#[test]
fn a_set_that_waits_for_a_lock_before_one_that_it_holds_is_found() {
    let waits_for_a = vec![Event::Set(granted()), stood("b", 7, SECOND, 2 * SECOND), waited("a", SECOND, SECOND + 9)];
    assert_eq!(broken(waits_for_a.clone()), [Property::Sets]);
    let waits_for_b = vec![Event::Set(granted()), stood("a", 5, SECOND, 2 * SECOND), waited("b", SECOND, SECOND + 9)];
    assert_eq!(broken(waits_for_b), []);
    let one_after_the_other = vec![waited("a", SECOND, SECOND + 9), stood("b", 7, SECOND + 10, 2 * SECOND)];
    assert_eq!(broken([vec![Event::Set(granted())], one_after_the_other].concat()), []);
    // A set that has lost a part starts over.
    let breaks = Event::Break(Break { resource: "b".into(), fence: 7, asked: SECOND, done: None });
    assert_eq!(broken([waits_for_a, vec![breaks]].concat()), []);
}

#[test]
fn a_set_that_finds_no_end_is_found() {
    let late = |answered| {
        let mut set = refused();
        set.answered = Some(answered);
        set.parts.iter_mut().for_each(|part| part.answered = Some(answered));
        vec![Event::Set(set)]
    };
    assert_eq!(broken(late(6 * SECOND)), []);
    assert_eq!(broken(late(6 * SECOND + 1)), [Property::Sets]);
    let fault = Event::Fault { what: "any".into(), from: 4 * SECOND, until: 5 * SECOND };
    assert_eq!(broken([late(6 * SECOND + 1), vec![fault]].concat()), []);
    let none = AcquireSet { answered: None, gave_up: Some(4 * SECOND), ..unknown() };
    assert_eq!(broken(vec![Event::Set(none.clone())]), [Property::Sets]);
    assert_eq!(broken(vec![Event::Set(AcquireSet { hung_up: true, ..none })]), []);
}

#[test]
fn what_is_said_of_a_set_names_it_and_its_locks() {
    let found = check(&History { events: vec![Event::Set(refused()), stood("a", 5, SECOND, 3 * SECOND)] });
    let said =
        "a part of the set of the set stayed: a with fence 5 was seen at 3.000 s, and the set was refused at 2.000 s";
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [said]);
}

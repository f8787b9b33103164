//! What the checker says of small histories, and that it says the same of them from a file.

use gorilla_faults::{
    check::{Property, Violation, check},
    history::{Acquire, End, Event, Grant, History, Kind, Moment, SECOND, Update, Use},
};

/// Longer than anything here takes.
const LONG: Moment = 1000;

fn history(events: Vec<Event>) -> History {
    History { events }
}

/// A grant of one resource with a long lease, whose token has the number of its fence.
fn granted(fence: u64, asked: Moment, answered: Moment) -> Acquire {
    let grant = Some(Grant { fence, token: fence, ttl: LONG.saturating_sub(asked) });
    let (resource, owner) = ("r".into(), format!("owner of {fence} at {asked}"));
    Acquire { resource, owner, asked, answered: Some(answered), grant, known: true, ..Acquire::default() }
}

fn used(kind: Kind, fence: u64, token: u64, asked: Moment, end: End) -> Event {
    Event::Use(Use { resource: "r".into(), fence, token, key: None, asked, answered: Some(asked + 1), kind, end })
}

fn released(fence: u64, asked: Moment) -> Event {
    used(Kind::Release, fence, fence, asked, End::Done { token: 0, ttl: 0 })
}

/// A grant that is released.
fn held(fence: u64, asked: Moment, answered: Moment, until: Moment) -> [Event; 2] {
    [Event::Acquire(granted(fence, asked, answered)), released(fence, until)]
}

/// Which promises are broken.
fn broken(events: Vec<Event>) -> Vec<Property> {
    let violations = check(&history(events));
    violations.iter().for_each(|violation| println!("{violation}"));
    violations.iter().map(Violation::property).collect()
}

fn all(parts: &[[Event; 2]]) -> Vec<Event> {
    parts.concat()
}

use Property::{Exclusion, FencedRegister, Fencing, NoOrphans, Order, SafeRetry, StaleTokens};

#[test]
fn grants_one_after_the_other_are_fine() {
    assert_eq!(broken(vec![]), []);
    assert_eq!(broken(all(&[held(2, 20, 22, 29), held(1, 0, 5, 10), held(3, 30, 31, 40)])), []);
}

#[test]
fn an_acquire_may_be_asked_while_another_holds_and_answered_after() {
    assert_eq!(broken(all(&[held(1, 0, 5, 10), held(2, 1, 11, 20)])), []);
    // The release may overtake its answer: what counts is when it was sent.
    assert_eq!(broken(all(&[held(1, 0, 5, 10), held(2, 1, 10, 20)])), []);
}

#[test]
fn a_grant_while_another_is_held_is_found() {
    let found = check(&history(all(&[held(1, 0, 5, 10), held(2, 1, 9, 20)])));
    let (resource, first, second) = ("r".into(), (1, 10), (2, 9));
    // The release by the first client succeeded though the lock had been passed on, so its token acted when it was
    // dead.
    assert_eq!(found[0], Violation::TwoHolders { resource, first, second });
    assert_eq!(found.iter().map(Violation::property).collect::<Vec<_>>(), [Exclusion, StaleTokens]);
}

#[test]
fn a_long_grant_is_remembered_behind_a_short_one() {
    let of_others = |mut grant: [Event; 2]| {
        grant[1] = used(Kind::Release, 0, 0, 1, End::Refused);
        if let Event::Acquire(Acquire { grant: Some(grant), .. }) = &mut grant[0] {
            grant.ttl = 2;
        }
        grant
    };
    let found = broken(all(&[held(1, 0, 1, 100), of_others(held(2, 1, 2, 3)), held(3, 0, 50, 60)]));
    assert_eq!(found.iter().filter(|property| **property == Exclusion).count(), 2);
}

#[test]
fn a_lease_that_ended_makes_room_without_a_release() {
    let lapsed = |ttl| {
        let mut acquire = granted(1, 0, 5);
        acquire.grant = Some(Grant { fence: 1, token: 1, ttl });
        Event::Acquire(acquire)
    };
    let next = Event::Acquire(granted(2, 6, 8));
    assert_eq!(broken(vec![lapsed(8), next.clone()]), []);
    assert_eq!(broken(vec![lapsed(9), next.clone()]), [Exclusion]);
    // An answer that comes after the end of its lease gives the client nothing.
    assert_eq!(broken(vec![lapsed(4), Event::Acquire(granted(2, 3, 5))]), []);
    // An extend makes the lease longer.
    let extended = used(Kind::Extend, 1, 1, 6, End::Done { token: 9, ttl: 5 });
    assert_eq!(broken(vec![lapsed(8), extended, next]), [Exclusion]);
}

#[test]
fn a_fence_that_falls_or_stays_is_found() {
    assert_eq!(broken(all(&[held(2, 0, 5, 10), held(1, 11, 12, 20)])), [Fencing, StaleTokens]);
    let mut same = granted(7, 11, 12);
    same.grant = Some(Grant { fence: 7, token: 8, ttl: LONG });
    let found = check(&history([held(7, 0, 5, 10).to_vec(), vec![Event::Acquire(same)]].concat()));
    assert!(found.contains(&Violation::FenceTwice { resource: "r".into(), fence: 7 }));
    assert!(found.contains(&Violation::FenceNotRising { resource: "r".into(), first: (7, 5), second: (7, 11) }));
    // The highest fence counts, not the latest.
    let found = broken(all(&[held(9, 0, 1, 2), held(3, 3, 4, 5), held(6, 6, 7, 8)]));
    assert_eq!(found.iter().filter(|property| **property == Fencing).count(), 2);
    // Two grants may share a fence by being under way together.
    let (one, mut other) = (granted(5, 0, 10), granted(5, 1, 9));
    other.grant = Some(Grant { fence: 5, token: 6, ttl: 1 });
    assert_eq!(broken(vec![Event::Acquire(one), Event::Acquire(other)]), [Fencing]);
}

#[test]
fn fences_of_requests_that_were_under_way_together_may_come_in_any_order() {
    assert!(!broken(all(&[held(2, 0, 5, 10), held(1, 4, 20, 30)])).contains(&Fencing));
}

#[test]
fn a_retried_acquire_was_asked_for_when_it_was_sent_first() {
    let keyed = |mut acquire: Acquire| {
        acquire.key = Some("k".into());
        acquire
    };
    let lost = Acquire { answered: None, grant: None, known: false, ..keyed(granted(1, 0, 0)) };
    let again = keyed(granted(1, 8, 9));
    let between = held(2, 2, 3, 4);
    let events = vec![Event::Acquire(lost), between[0].clone(), between[1].clone(), Event::Acquire(again)];
    assert_eq!(broken(events), []);
}

#[test]
fn a_token_given_twice_is_found() {
    let mut second = granted(2, 11, 12);
    second.grant = Some(Grant { fence: 2, token: 1, ttl: 9 });
    let [first, release] = held(1, 0, 5, 10);
    assert_eq!(broken(vec![first, release, Event::Acquire(second)]), [StaleTokens]);
}

#[test]
fn a_token_that_was_released_or_superseded_and_acts_is_found() {
    let [grant, release] = held(1, 0, 5, 10);
    assert_eq!(broken(vec![grant.clone(), release.clone(), released(1, 20)]), [StaleTokens]);
    // A stale token that is refused is fine.
    let refused = used(Kind::Release, 1, 1, 20, End::Refused);
    assert_eq!(broken(vec![grant.clone(), release.clone(), refused]), []);
    // It is also fine if both were under way together.
    assert_eq!(broken(vec![grant.clone(), release, released(1, 10)]), []);
    let extended = |asked, token| used(Kind::Extend, 1, 1, asked, End::Done { token, ttl: 5 });
    assert_eq!(broken(vec![grant.clone(), extended(6, 2), extended(8, 3)]), [StaleTokens]);
}

#[test]
fn a_release_that_is_sent_again_with_its_key_is_answered_again() {
    let keyed = |asked| match released(1, asked) {
        Event::Use(used) => Event::Use(Use { key: Some("k".into()), ..used }),
        other => other,
    };
    let [grant, _] = held(1, 0, 5, 10);
    assert_eq!(broken(vec![grant, keyed(10), keyed(20)]), []);
}

#[test]
fn two_grants_for_one_key_are_found() {
    let keyed = |fence, asked| Acquire { key: Some("k".into()), ..granted(fence, asked, asked + 1) };
    let again = vec![Event::Acquire(keyed(1, 0)), released(1, 5), Event::Acquire(keyed(2, 8))];
    assert_eq!(broken(again), [SafeRetry]);
    assert_eq!(broken(vec![Event::Acquire(keyed(1, 0)), Event::Acquire(keyed(1, 3)), released(1, 5)]), []);
}

#[test]
fn an_update_that_is_lost_is_found() {
    let update =
        |fence, value, accepted, fenced| Event::Update(Update { resource: "r".into(), fence, value, accepted, fenced });
    assert_eq!(broken(vec![update(1, 1, true, true), update(2, 2, true, true), update(1, 2, false, true)]), []);
    assert_eq!(broken(vec![update(1, 1, true, true), update(2, 1, true, true)]), [FencedRegister]);
    // No promise is about registers that don't compare fences.
    assert_eq!(broken(vec![update(1, 1, true, false), update(2, 1, true, false)]), []);
}

#[test]
fn a_lock_that_nobody_was_told_of_is_found_when_it_stands_too_long() {
    let seen = |fence, asked| {
        let (answered, held_by) = (Some(asked + 1), Some(fence));
        Event::Acquire(Acquire { answered, held_by, grant: None, ..granted(0, asked, 0) })
    };
    assert_eq!(broken(vec![seen(7, SECOND), seen(7, 2 * SECOND)]), []);
    let long = vec![seen(7, SECOND), seen(7, 3 * SECOND)];
    assert_eq!(broken(long.clone()), [NoOrphans]);
    // A client was told of the lock after all.
    assert_eq!(broken([long.clone(), vec![Event::Acquire(granted(7, 0, 9))]].concat()), []);
    // While a fault is at work, the lock may stand until its lease ends.
    let fault = Event::Fault { what: "any".into(), from: 2 * SECOND, until: 3 * SECOND };
    assert_eq!(broken([long, vec![fault]].concat()), []);
    let left = |fence, waiting| vec![Event::Left { resource: "r".into(), fence, waiting }];
    assert_eq!(broken(left(None, 0)), []);
    assert_eq!(broken(left(Some(3), 0)), [NoOrphans]);
    assert_eq!(broken(left(None, 1)), [NoOrphans]);
}

#[test]
fn who_came_later_and_was_granted_first_is_found() {
    let waiter = |fence, arrived| {
        let acquire = Acquire { waits: true, ..granted(fence, 0, fence) };
        let place = Event::Place { resource: "r".into(), owner: acquire.owner.clone(), arrived };
        vec![Event::Acquire(acquire), place, released(fence, fence)]
    };
    assert_eq!(broken([waiter(100, 10), waiter(110, 20)].concat()), []);
    assert_eq!(broken([waiter(110, 10), waiter(100, 20)].concat()), [Order]);
    // A request that doesn't wait arrives at the moment of its grant.
    let slips_in = vec![Event::Acquire(granted(50, 0, 50)), released(50, 50)];
    assert_eq!(broken([waiter(100, 10), slips_in.clone()].concat()), [Order]);
    assert_eq!(broken([waiter(100, 60), slips_in].concat()), []);
    // A waiter that saw a fault may have been passed over.
    let fault = vec![Event::Fault { what: "any".into(), from: 90, until: 95 }];
    assert_eq!(broken([waiter(110, 10), waiter(100, 20), fault].concat()), []);
}

#[test]
fn a_history_that_is_written_and_read_is_the_same_and_so_is_what_is_said_of_it() {
    let history = history(all(&[held(1, 0, 5, 10), held(2, 1, 9, 20)]));
    let file = tempfile::NamedTempFile::new().expect("a file");
    history.write(file.path()).expect("it can be written");
    let read = History::read(file.path()).expect("it can be read");
    assert_eq!(read, history);
    let said = check(&read)[0].to_string();
    assert_eq!(
        said,
        "two holders of r: the grant with fence 1 was held until 0.000 s, and the one with fence 2 was answered at 0.000 s"
    );
}

//! What the checker says of small histories, and that it says the same of them from a file.

use gorilla_faults::{
    check::{Property, Violation, check},
    history::{Acquire, Break, End, Event, Grant, History, Kind, Moment, Part, Pin, Read, SECOND, Update, Use},
};

/// Longer than anything here takes.
const LONG: Moment = 1000;

fn history(events: Vec<Event>) -> History {
    History { events }
}

/// A grant of one resource with a long lease, whose token has the number of its fence.
fn granted(fence: u64, asked: Moment, answered: Moment) -> Acquire {
    let grant = Some(Grant { fence, token: fence, ttl: LONG.saturating_sub(asked), part: None });
    let (resource, owner) = ("r".into(), format!("owner of {fence} at {asked}"));
    Acquire { resource, owner, asked, answered: Some(answered), grant, known: true, ..Acquire::default() }
}

fn used(kind: Kind, fence: u64, token: u64, asked: Moment, end: End) -> Event {
    Event::Use(Use { resource: "r".into(), fence, token, key: None, asked, answered: Some(asked + 1), kind, end })
}

/// An extend that gave another token, and a lease.
fn extended_to(fence: u64, token: u64, ttl: Moment) -> End {
    End::Done(Grant { fence, token, ttl, part: None })
}

fn released(fence: u64, asked: Moment) -> Event {
    used(Kind::Release, fence, fence, asked, End::Done(Grant::default()))
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

use Property::{
    Conservation, Exclusion, FencedRegister, Fencing, Floors, Limits, NoOrphans, Order, SafeRetry, StaleTokens,
    Standing,
};

/// A grant of a shared lock with a long lease, with permits of a limit (0 for none) and a floor.
fn shared(fence: u64, asked: Moment, answered: Moment, permits: u64, limit: u64, floor: u64) -> Acquire {
    let part = Some(Part { permits, limit: Some(limit).filter(|limit| *limit > 0), floor });
    let mut acquire = granted(fence, asked, answered);
    acquire.grant = acquire.grant.map(|grant| Grant { part, ..grant });
    acquire
}

/// A grant of a shared lock that is released.
fn joined(fence: u64, asked: Moment, until: Moment, permits: u64, limit: u64, floor: u64) -> [Event; 2] {
    [Event::Acquire(shared(fence, asked, asked + 1, permits, limit, floor)), released(fence, until)]
}

/// A conversion of a grant into another with a long lease.
fn converted(from: u64, to: u64, asked: Moment, part: Option<Part>) -> Event {
    used(Kind::Convert, from, from, asked, End::Done(Grant { fence: to, token: to, ttl: LONG, part }))
}

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
        acquire.grant = Some(Grant { fence: 1, token: 1, ttl, part: None });
        Event::Acquire(acquire)
    };
    let next = Event::Acquire(granted(2, 6, 8));
    assert_eq!(broken(vec![lapsed(8), next.clone()]), []);
    assert_eq!(broken(vec![lapsed(9), next.clone()]), [Exclusion]);
    // An answer that comes after the end of its lease gives the client nothing.
    assert_eq!(broken(vec![lapsed(4), Event::Acquire(granted(2, 3, 5))]), []);
    // An extend makes the lease longer.
    let extended = used(Kind::Extend, 1, 1, 6, extended_to(1, 9, 5));
    assert_eq!(broken(vec![lapsed(8), extended, next]), [Exclusion]);
}

#[test]
fn a_fence_that_falls_or_stays_is_found() {
    assert_eq!(broken(all(&[held(2, 0, 5, 10), held(1, 11, 12, 20)])), [Fencing, StaleTokens]);
    let mut same = granted(7, 11, 12);
    same.grant = Some(Grant { fence: 7, token: 8, ttl: LONG, part: None });
    let found = check(&history([held(7, 0, 5, 10).to_vec(), vec![Event::Acquire(same)]].concat()));
    assert!(found.contains(&Violation::FenceTwice { resource: "r".into(), fence: 7 }));
    assert!(found.contains(&Violation::FenceNotRising { resource: "r".into(), first: (7, 5), second: (7, 11) }));
    // The highest fence counts, not the latest.
    let found = broken(all(&[held(9, 0, 1, 2), held(3, 3, 4, 5), held(6, 6, 7, 8)]));
    assert_eq!(found.iter().filter(|property| **property == Fencing).count(), 2);
    // Two grants may share a fence by being under way together.
    let (one, mut other) = (granted(5, 0, 10), granted(5, 1, 9));
    other.grant = Some(Grant { fence: 5, token: 6, ttl: 1, part: None });
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
    second.grant = Some(Grant { fence: 2, token: 1, ttl: 9, part: None });
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
    let extended = |asked, token| used(Kind::Extend, 1, 1, asked, extended_to(1, token, 5));
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
    let update = |fence, value, accepted, fenced| {
        Event::Update(Update { resource: "r".into(), fence, value, accepted, fenced, at: 0 })
    };
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
        let place = Event::Place { resource: "r".into(), owner: acquire.owner.clone(), arrived, from: 0, until: 0 };
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
fn readers_share_a_lock_and_a_writer_beside_them_is_found() {
    let readers = [joined(1, 0, 30, 1, 0, 1), joined(2, 2, 20, 1, 0, 1), joined(3, 25, 40, 1, 0, 1)];
    assert_eq!(broken(all(&readers)), []);
    let writer = [readers.as_slice(), &[held(4, 35, 41, 50)]].concat();
    assert_eq!(broken(all(&writer)), []);
    let writer = [readers.as_slice(), &[held(4, 31, 39, 50)]].concat();
    assert!(broken(all(&writer)).contains(&Exclusion));
    // A reader beside a writer is found too.
    assert!(broken(all(&[held(1, 0, 5, 20), joined(2, 10, 30, 1, 0, 2)])).contains(&Exclusion));
}

#[test]
fn more_permits_than_the_limit_are_found() {
    let two_and_one = [joined(1, 0, 30, 2, 3, 1), joined(2, 2, 20, 1, 3, 1)];
    assert_eq!(broken(all(&two_and_one)), []);
    let after = [two_and_one.as_slice(), &[joined(3, 20, 40, 1, 3, 1)]].concat();
    assert_eq!(broken(all(&after)), []);
    let beside = [two_and_one.as_slice(), &[joined(3, 18, 40, 1, 3, 1)]].concat();
    let found = check(&history(all(&beside)));
    let (resource, latest) = ("r".into(), (3, 19));
    assert_eq!(found, [Violation::TooManyPermits { resource, latest, permits: 4, limit: 3 }]);
    // When the limit was lowered, nobody had to leave, and only who came then is held to it.
    let pin = |limit, asked| Event::Pin(Pin { resource: "r".into(), limit: Some(limit), asked, done: Some(asked + 1) });
    let lowered =
        |at, limit| [all(&two_and_one), vec![pin(limit, 10)], all(&[joined(3, at, 40, 1, limit, 1)])].concat();
    assert_eq!(broken(lowered(30, 1)), []);
    assert_eq!(broken(lowered(15, 1)), [Exclusion]);
    assert_eq!(broken(lowered(15, 4)), []);
}

#[test]
fn a_grant_whose_token_is_refused_though_its_lease_stands_is_found() {
    let lease = |ttl| {
        let mut acquire = shared(1, 0, SECOND, 1, 0, 1);
        acquire.grant = acquire.grant.map(|grant| Grant { ttl, ..grant });
        Event::Acquire(acquire)
    };
    let refused = |kind| used(kind, 1, 1, 2 * SECOND, End::Refused);
    assert_eq!(broken(vec![lease(3 * SECOND), refused(Kind::Extend)]), [Standing]);
    assert_eq!(broken(vec![lease(3 * SECOND), refused(Kind::Release)]), [Standing]);
    assert_eq!(broken(vec![lease(3 * SECOND), refused(Kind::Convert)]), [Standing]);
    assert_eq!(broken(vec![lease(2 * SECOND), refused(Kind::Extend)]), [], "the lease had ended");
    // It may be refused what others have made impossible, and keeps what it has.
    assert_eq!(broken(vec![lease(3 * SECOND), used(Kind::Convert, 1, 1, 2 * SECOND, End::Declined)]), []);
    // The token was replaced by an extend of unknown outcome, or somebody broke the grant, or it was released.
    let lost = used(Kind::Extend, 1, 1, SECOND + 9, End::Unknown);
    assert_eq!(broken(vec![lease(3 * SECOND), lost, refused(Kind::Extend)]), []);
    let breaks = Event::Break(Break { resource: "r".into(), fence: 1, asked: SECOND + 9, done: None });
    assert_eq!(broken(vec![lease(3 * SECOND), breaks, refused(Kind::Extend)]), []);
    assert_eq!(broken(vec![lease(3 * SECOND), released(1, SECOND + 9), refused(Kind::Release)]), []);
}

#[test]
fn a_floor_that_is_too_low_or_not_the_same_for_all_is_found() {
    assert_eq!(broken(all(&[held(5, 0, 1, 2), joined(7, 3, 30, 1, 0, 7), joined(8, 4, 30, 1, 0, 7)])), []);
    // Below the fence of a writer before, or above its own fence.
    assert_eq!(broken(all(&[held(5, 0, 1, 2), joined(7, 3, 30, 1, 0, 4)])), [Floors]);
    assert_eq!(broken(all(&[held(5, 0, 1, 2), joined(7, 3, 30, 1, 0, 8)])), [Floors]);
    assert_eq!(broken(all(&[joined(7, 3, 30, 1, 0, 7), joined(8, 4, 30, 1, 0, 8)])), [Floors]);
    // They never held the lock together.
    assert_eq!(broken(all(&[joined(7, 3, 10, 1, 0, 7), joined(8, 11, 30, 1, 0, 8)])), []);
}

#[test]
fn a_register_that_refuses_a_holder_or_changes_under_it_is_found() {
    let read = |fence, value, fenced, at| Event::Read(Read { resource: "r".into(), fence, value, fenced, at });
    let reader = || joined(7, 3, 30, 1, 0, 7).to_vec();
    assert_eq!(broken([reader(), vec![read(7, Some(1), true, 5), read(7, Some(1), true, 9)]].concat()), []);
    assert_eq!(broken([reader(), vec![read(7, Some(1), true, 5), read(7, Some(2), true, 9)]].concat()), [Floors]);
    assert_eq!(broken([reader(), vec![read(7, Some(1), true, 5), read(7, None, true, 9)]].concat()), [Floors]);
    // It doesn't hold the lock any more.
    assert_eq!(broken([reader(), vec![read(7, Some(1), true, 5), read(7, None, true, 30)]].concat()), []);
    // No promise is about registers that don't compare fences.
    assert_eq!(broken([reader(), vec![read(7, Some(1), false, 5), read(7, Some(2), false, 9)]].concat()), []);
}

#[test]
fn a_later_reader_does_not_kill_the_token_of_a_reader_and_a_later_writer_does() {
    let extends = |at| used(Kind::Extend, 1, 1, at, End::Done(Grant { fence: 1, token: 9, ttl: 5, part: None }));
    let first = Event::Acquire(shared(1, 0, 1, 1, 0, 1));
    let reader = Event::Acquire(shared(2, 2, 3, 1, 0, 1));
    assert_eq!(broken(vec![first.clone(), reader, extends(10)]), []);
    let found = broken(vec![first.clone(), Event::Acquire(granted(2, 2, 3)), extends(10)]);
    assert_eq!(found, [Exclusion, StaleTokens]);
    // The token acts on its own grant only.
    let other = used(Kind::Extend, 1, 1, 10, End::Done(Grant { fence: 2, token: 9, ttl: 5, part: None }));
    assert_eq!(broken(vec![first, other]), [StaleTokens]);
}

#[test]
fn a_token_that_acts_after_the_end_of_its_lease_is_found() {
    let mut lapses = shared(1, 0, 5, 1, 0, 1);
    lapses.grant = lapses.grant.map(|grant| Grant { ttl: SECOND, ..grant });
    let acts = |at| used(Kind::Release, 1, 1, at, End::Done(Grant::default()));
    assert_eq!(broken(vec![Event::Acquire(lapses.clone()), acts(SECOND)]), []);
    assert_eq!(broken(vec![Event::Acquire(lapses.clone()), acts(2 * SECOND)]), [StaleTokens]);
    // An extend whose answer was lost may have made the lease longer.
    let lost = used(Kind::Extend, 1, 1, 6, End::Unknown);
    assert_eq!(broken(vec![Event::Acquire(lapses.clone()), lost, acts(2 * SECOND)]), []);
    // If a clock steps, nobody knows when the lease has ended.
    let stepped = Event::Fault { what: "any".into(), from: 7, until: Moment::MAX };
    assert_eq!(broken(vec![Event::Acquire(lapses), stepped, acts(2 * SECOND)]), []);
}

#[test]
fn a_conversion_ends_its_grant_and_lets_nobody_in_between() {
    let part = |floor| Some(Part { permits: 1, limit: None, floor });
    let [grant, _] = held(1, 0, 5, 0);
    let downgrade = converted(1, 3, 10, part(3));
    let reader = Event::Acquire(shared(4, 10, 12, 1, 0, 3));
    assert_eq!(broken(vec![grant.clone(), downgrade.clone(), reader]), []);
    // A writer between the two, and the old token once more.
    assert_eq!(broken([vec![grant.clone(), downgrade.clone()], held(2, 4, 9, 10).to_vec()].concat())[0], Exclusion);
    assert_eq!(broken(vec![grant.clone(), downgrade.clone(), released(1, 20)]), [StaleTokens]);
    // What it has become excludes others like any grant.
    assert!(
        broken([vec![grant.clone(), downgrade.clone()], held(5, 12, 15, 18).to_vec()].concat()).contains(&Exclusion)
    );
    // One that was refused changes nothing.
    let refused = used(Kind::Convert, 1, 1, 6, End::Declined);
    assert_eq!(broken(vec![grant.clone(), refused, downgrade.clone()]), []);
    // A copy makes another grant.
    let keyed = |event: Event| match event {
        Event::Use(used) => Event::Use(Use { key: Some("k".into()), ..used }),
        other => other,
    };
    let again = converted(1, 7, 10, part(7));
    assert!(broken(vec![grant, keyed(downgrade), keyed(again)]).contains(&SafeRetry));
}

#[test]
fn a_broken_grant_ends_for_its_client_and_its_token_is_dead() {
    let [grant, _] = held(1, 0, 5, 0);
    let breaks = |done| Event::Break(Break { resource: "r".into(), fence: 1, asked: 10, done });
    assert_eq!(broken([vec![grant.clone(), breaks(Some(11))], held(2, 10, 12, 20).to_vec()].concat()), []);
    assert_eq!(broken(vec![grant.clone(), breaks(Some(11)), released(1, 20)]), [StaleTokens]);
    assert_eq!(broken(vec![grant, breaks(None), released(1, 20)]), []);
}

#[test]
fn two_limits_in_force_are_found_unless_a_limit_was_pinned() {
    let two = all(&[joined(1, 0, 30, 1, 3, 1), joined(2, 5, 30, 1, 4, 1)]);
    assert_eq!(broken(two.clone()), [Limits]);
    let pin = |limit, asked, done| Event::Pin(Pin { resource: "r".into(), limit, asked, done });
    assert_eq!(broken([two.clone(), vec![pin(Some(4), 3, None)]].concat()), []);
    assert_eq!(broken([two, vec![pin(None, 40, Some(41))]].concat()), [Limits]);
    // Who asks after a limit was pinned is told that limit, until it is unpinned.
    let one = |limit| joined(1, 10, 30, 1, limit, 1).to_vec();
    assert_eq!(broken([one(3), vec![pin(Some(3), 5, Some(6))]].concat()), []);
    assert_eq!(broken([one(4), vec![pin(Some(3), 5, Some(6))]].concat()), [Limits]);
    assert_eq!(broken([one(4), vec![pin(Some(3), 5, Some(6)), pin(None, 7, None)]].concat()), []);
}

#[test]
fn what_redis_counts_wrongly_or_keeps_for_ever_is_found() {
    let counts = |used, held, reserved, called| {
        vec![Event::Counts { resource: "r".into(), at: SECOND, used, held, reserved, called }]
    };
    assert_eq!(broken(counts(3, 3, 2, 2)), []);
    assert_eq!(broken(counts(3, 2, 2, 2)), [NoOrphans]);
    assert_eq!(broken(counts(3, 3, 2, 1)), [NoOrphans]);
    let fault = Event::Fault { what: "any".into(), from: 0, until: SECOND };
    assert_eq!(broken([counts(3, 2, 2, 2), vec![fault]].concat()), []);
    assert_eq!(broken(vec![Event::Lasting { key: "gorilla:{r}:holders".into() }]), [NoOrphans]);
    // A grant that nobody was told of is found also beside others, whom a refused client is told of.
    let stood =
        |until| vec![Event::Stood { resource: "r".into(), fence: 7, owner: String::new(), from: SECOND, until }];
    assert_eq!(broken(stood(2 * SECOND)), []);
    assert_eq!(broken(stood(4 * SECOND)), [NoOrphans]);
    assert_eq!(broken([stood(4 * SECOND), vec![Event::Acquire(shared(7, 1, 2, 1, 0, 7))]].concat()), []);
    let converted = converted(1, 7, 1, None);
    assert_eq!(broken([stood(4 * SECOND), held(1, 0, 0, 9)[..1].to_vec(), vec![converted]].concat()), []);
}

#[test]
fn a_reader_that_passes_an_earlier_request_in_whose_way_it_is_is_found() {
    let waiter = |mut acquire: Acquire, arrived| {
        acquire.waits = true;
        let place = Event::Place { resource: "r".into(), owner: acquire.owner.clone(), arrived, from: 0, until: 0 };
        let fence = acquire.grant.map_or(0, |grant| grant.fence);
        vec![Event::Acquire(acquire), place, released(fence, fence)]
    };
    let reader = |fence, arrived| waiter(shared(fence, 0, fence, 1, 0, 100), arrived);
    // Readers that were called together come in any order.
    assert_eq!(broken([reader(110, 10), reader(100, 20)].concat()), []);
    // A writer that came before them is passed.
    let writer = waiter(granted(120, 0, 120), 10);
    assert_eq!(broken([writer, reader(100, 20)].concat()), [Order]);
    // Two permits of three are used; a request for two that waits is passed by a later request for one.
    let semaphore = |fence, arrived, permits| waiter(shared(fence, 0, fence, permits, 3, 90), arrived);
    let held = |permits| vec![Event::Acquire(shared(90, 0, 90, permits, 3, 90)), released(90, 105)];
    assert_eq!(broken([held(2), semaphore(110, 91, 2), semaphore(100, 92, 1)].concat()), [Order]);
    assert_eq!(broken([held(1), semaphore(110, 91, 1), semaphore(100, 92, 1)].concat()), [], "both fit");
}

#[test]
fn who_waits_for_what_it_could_have_is_found() {
    let seen = |missed, from, until| vec![Event::Idle { resource: "r".into(), owner: "o".into(), missed, from, until }];
    let idle = |from, until| seen(false, from, until);
    assert_eq!(broken(seen(true, 5 * SECOND, 6 * SECOND)), [Conservation]);
    assert_eq!(broken(idle(5 * SECOND, 6 * SECOND)), []);
    assert_eq!(broken(idle(5 * SECOND, 7 * SECOND)), [Conservation]);
    let fault = Event::Fault { what: "any".into(), from: 2 * SECOND, until: 3 * SECOND };
    assert_eq!(broken([idle(5 * SECOND, 7 * SECOND), vec![fault]].concat()), []);
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

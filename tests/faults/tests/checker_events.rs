//! What the checker says of listeners to the stream of events.

use gorilla_faults::{
    check::{Mistold, Property, Violation, check},
    heard::{Happened, Heard, Told, VISITOR},
    history::{Acquire, Break, End, Event, Grant, History, Kind, Moment, Part, SECOND, Use},
};

/// A client of `owner F` has the lock `a` with fence F from `asked` on, for two seconds.
fn grant(fence: u64, asked: Moment) -> Event {
    let (resource, owner) = ("a".into(), format!("owner {fence}"));
    let grant = Some(Grant { fence, token: fence, ttl: 2 * SECOND, part: None });
    Event::Acquire(Acquire {
        resource,
        owner,
        asked,
        answered: Some(asked + 9),
        grant,
        known: true,
        ..Acquire::default()
    })
}

/// The same of a shared lock.
fn joined(fence: u64, asked: Moment, floor: u64) -> Event {
    let Event::Acquire(mut acquire) = grant(fence, asked) else { unreachable!() };
    acquire.grant = acquire.grant.map(|grant| Grant { part: Some(Part { permits: 1, limit: None, floor }), ..grant });
    Event::Acquire(acquire)
}

fn used(kind: Kind, fence: u64, asked: Moment, end: End) -> Event {
    let (resource, answered) = ("a".into(), Some(asked + 9));
    Event::Use(Use { resource, fence, token: fence, key: None, asked, answered, kind, end })
}

fn release(fence: u64, asked: Moment) -> Event {
    used(Kind::Release, fence, asked, End::Done(Grant::default()))
}

/// Somebody takes the lock when all have gone.
fn visit(fence: u64, asked: Moment) -> Event {
    Event::Visit { resource: "a".into(), fence, asked, answered: asked + 9 }
}

fn fault(from: Moment, until: Moment) -> Event {
    Event::Fault { what: "any".into(), from, until }
}

/// What a listener was told. Each event has its own cursor, made of its kind and fence.
struct Listener {
    number: u64,
    told: Vec<Event>,
}

impl Listener {
    /// It listens from the beginning.
    fn new(number: u64) -> Self {
        Self { number, told: Vec::new() }.told(0, Told::Began)
    }

    fn told(mut self, at: Moment, told: Told) -> Self {
        let (listener, number) = (self.number, self.told.len() as u64);
        self.told.push(Event::Heard(Heard { listener, number, at, told }));
        self
    }

    /// It is told of an event of the grant with this fence.
    fn hears(self, at: Moment, kind: &str, fence: u64) -> Self {
        self.hears_of(at, kind, fence, |_| {})
    }

    /// The same with something that is special.
    fn hears_of(self, at: Moment, kind: &str, fence: u64, change: impl Fn(&mut Happened)) -> Self {
        let (kind, cursor, owner) = (kind.to_string(), format!("{kind} {fence}"), format!("owner {fence}"));
        let mut event =
            Happened { kind, cursor, resource: "a".into(), owner, fence: Some(fence), ..Happened::default() };
        change(&mut event);
        self.told(at, Told::Happened(event))
    }

    /// It is told of the visit, and so of all that was before.
    fn hears_visit(self, at: Moment, fence: u64) -> Self {
        self.hears_of(at, "granted", fence, |event| event.owner = VISITOR.into())
    }

    /// It goes on behind this event.
    fn resumes(self, at: Moment, kind: &str, fence: u64) -> Self {
        self.told(at, Told::Resumed { since: format!("{kind} {fence}") })
    }

    fn misses(self, at: Moment) -> Self {
        self.told(at, Told::Missed { reason: "failover".into() })
    }
}

/// What the checker finds, without what it says.
fn broken(parts: &[Vec<Event>]) -> Vec<Mistold> {
    let violations = check(&History { events: parts.concat() });
    let of_events = violations.into_iter().map(|violation| {
        println!("{violation}");
        assert_eq!(violation.property(), Property::Events);
        let Violation::Mistold(told) = violation else { panic!("another violation") };
        told.what
    });
    of_events.collect()
}

/// The first has the lock from second 1 and releases it at 2, the next has it from 3 and releases it at 4, and there is a visit at 9.
fn two_grants() -> Vec<Event> {
    vec![grant(5, SECOND), release(5, 2 * SECOND), grant(7, 3 * SECOND), release(7, 4 * SECOND), visit(9, 9 * SECOND)]
}

/// All of that.
fn all(number: u64) -> Listener {
    first(number).hears(3 * SECOND, "granted", 7).hears(4 * SECOND, "released", 7).hears_visit(9 * SECOND, 9)
}

/// The first grant and its end.
fn first(number: u64) -> Listener {
    Listener::new(number).hears(SECOND, "granted", 5).hears(2 * SECOND, "released", 5)
}

#[test]
fn listeners_that_are_told_all_are_fine() {
    assert_eq!(broken(&[two_grants()]), [], "nobody listens");
    assert_eq!(broken(&[two_grants(), all(0).told, all(1).told]), []);
    let joined = vec![joined(5, SECOND, 5), joined(6, SECOND, 5), release(6, 2 * SECOND), release(5, 2 * SECOND + 9)];
    let shared = |event: &mut Happened| event.shared = true;
    let heard = Listener::new(0).hears_of(SECOND, "granted", 5, shared).hears_of(SECOND, "granted", 6, shared);
    let heard = heard.hears(2 * SECOND, "released", 6).hears(3 * SECOND, "released", 5).hears_visit(9 * SECOND, 9);
    assert_eq!(broken(&[joined, vec![visit(9, 9 * SECOND)], heard.told]), []);
}

#[test]
fn a_grant_that_was_not_told_is_found() {
    let without = first(0).hears_visit(9 * SECOND, 9);
    assert_eq!(broken(&[two_grants(), without.told]), [Mistold::Unheard { answered: 3 * SECOND + 9 }]);
    let deaf = Listener::new(0).hears(SECOND, "granted", 5);
    let found = broken(&[two_grants(), deaf.told]);
    assert_eq!(found.len(), 2, "neither the second grant nor the visit: {found:?}");
    // Nobody knows how far it would have come, without a visit.
    let grants = vec![grant(5, SECOND), grant(7, 4 * SECOND)];
    assert_eq!(broken(&[grants, Listener::new(0).hears(SECOND, "granted", 5).told]), []);
}

#[test]
fn what_was_asked_for_before_somebody_listens_need_not_be_told() {
    let late = |at| Listener { number: 0, told: Vec::new() }.told(at, Told::Began);
    let rest = |listener: Listener| listener.hears(4 * SECOND, "released", 7).hears_visit(9 * SECOND, 9).told;
    assert_eq!(broken(&[two_grants(), rest(late(3 * SECOND))]), []);
    assert_eq!(broken(&[two_grants(), rest(late(3 * SECOND - 1))]), [Mistold::Unheard { answered: 3 * SECOND + 9 }]);
}

#[test]
fn missed_covers_from_the_last_grant_that_was_told_to_when_it_came() {
    let missed_at = |at| first(0).misses(at).hears_visit(9 * SECOND, 9).told;
    assert_eq!(broken(&[two_grants(), missed_at(3 * SECOND)]), []);
    assert_eq!(broken(&[two_grants(), missed_at(2 * SECOND)]), [Mistold::Unheard { answered: 3 * SECOND + 9 }]);
    // A grant was told that was asked for after another was answered: then that other was not in the gap.
    let skips = Listener::new(0).hears(3 * SECOND, "granted", 7).hears(4 * SECOND, "released", 7).misses(5 * SECOND);
    let found = broken(&[two_grants(), skips.hears_visit(9 * SECOND, 9).told]);
    assert_eq!(found, [Mistold::Unheard { answered: SECOND + 9 }]);
}

#[test]
fn an_end_that_was_not_told_is_found() {
    let without_end = |told: Listener| told.hears(4 * SECOND, "released", 7).hears_visit(9 * SECOND, 9).told;
    let start = || Listener::new(0).hears(SECOND, "granted", 5);
    let found = broken(&[two_grants(), without_end(start().hears(3 * SECOND, "granted", 7))]);
    let disordered = Mistold::Disordered { kind: "granted".into(), after: ("granted without an end".into(), 5) };
    assert_eq!(found, [disordered, Mistold::NoEnd]);
    // The end may have been in the gap.
    let missed = start().misses(2 * SECOND).hears(3 * SECOND, "granted", 7);
    assert_eq!(broken(&[two_grants(), without_end(missed)]), []);
    // Holders of a shared lock stand beside one another.
    let shared = |event: &mut Happened| event.shared = true;
    let heard = Listener::new(0).hears_of(SECOND, "granted", 5, shared).hears_of(3 * SECOND, "granted", 7, shared);
    let clients = vec![joined(5, SECOND, 5), release(5, 2 * SECOND), joined(7, 3 * SECOND, 7)];
    assert_eq!(broken(&[clients, heard.told]), [Mistold::NoEnd]);
}

#[test]
fn two_ends_are_found_unless_events_are_missing_between_them() {
    let ended = || Listener::new(0).hears(SECOND, "granted", 5).hears(2 * SECOND, "released", 5);
    let clients = || vec![grant(5, SECOND), release(5, 2 * SECOND)];
    let twice = ended().hears(3 * SECOND, "expired", 5);
    let ends = ["released".to_string(), "expired".into()];
    assert_eq!(broken(&[clients(), twice.told]), [Mistold::TwoEnds { ends }]);
    // Another master may have lost the release.
    let elsewhere = ended().misses(2 * SECOND + 9).hears(3 * SECOND, "expired", 5);
    let faults = vec![fault(2 * SECOND, 2 * SECOND + 9)];
    assert_eq!(broken(&[clients(), faults, elsewhere.told]), []);
}

#[test]
fn an_end_of_another_kind_is_found() {
    let told = |kind, at| Listener::new(0).hears(SECOND, "granted", 5).hears(at, kind, 5).told;
    let done = |kind: &str, done| [Mistold::OtherEnd { told: kind.into(), done }];
    let released = || vec![grant(5, SECOND), release(5, 2 * SECOND)];
    assert_eq!(broken(&[released(), told("expired", 4 * SECOND)]), done("expired", "it was released"));
    assert_eq!(broken(&[released(), told("undone", 4 * SECOND)]), done("undone", "it was released"));
    assert_eq!(broken(&[vec![grant(5, SECOND)], told("released", 2 * SECOND)]), done("released", "nobody released it"));
    assert_eq!(broken(&[vec![grant(5, SECOND)], told("broken", 2 * SECOND)]), done("broken", "nobody broke it"));
    let (resource, asked) = ("a".to_string(), 2 * SECOND);
    let breaks = Event::Break(Break { resource, fence: 5, asked, done: Some(asked + 9) });
    assert_eq!(broken(&[vec![grant(5, SECOND), breaks.clone()], told("broken", 2 * SECOND)]), []);
    assert_eq!(
        broken(&[vec![grant(5, SECOND), breaks], told("expired", 4 * SECOND)]),
        done("expired", "it was broken")
    );
    assert_eq!(broken(&[vec![grant(5, SECOND)], told("expired", 4 * SECOND)]), []);
    // A release of which nobody knows whether it was made.
    let unknown = used(Kind::Release, 5, 2 * SECOND, End::Unknown);
    assert_eq!(broken(&[vec![grant(5, SECOND), unknown.clone()], told("expired", 4 * SECOND)]), []);
    assert_eq!(broken(&[vec![grant(5, SECOND), unknown], told("released", 4 * SECOND)]), []);
}

#[test]
fn an_end_that_is_told_too_early_is_found() {
    let expired = |at| Listener::new(0).hears(SECOND, "granted", 5).hears(at, "expired", 5).told;
    let stood_on = |heard, until| [Mistold::StoodOn { told: "expired".into(), heard, until }];
    // The lease lasts from 1 s to 3 s; Redis counts in milliseconds.
    let early = 3 * SECOND - SECOND / 50;
    assert_eq!(broken(&[vec![grant(5, SECOND)], expired(early)]), stood_on(early, 3 * SECOND));
    assert_eq!(broken(&[vec![grant(5, SECOND)], expired(3 * SECOND)]), []);
    // It was extended at 2 s.
    let extended =
        || used(Kind::Extend, 5, 2 * SECOND, End::Done(Grant { fence: 5, token: 6, ttl: 2 * SECOND, part: None }));
    let found = broken(&[vec![grant(5, SECOND), extended()], expired(3 * SECOND)]);
    assert_eq!(found, stood_on(3 * SECOND, 4 * SECOND));
    assert_eq!(broken(&[vec![grant(5, SECOND), extended()], expired(4 * SECOND)]), []);
    // Redis may have lost it.
    assert_eq!(broken(&[vec![grant(5, SECOND), fault(SECOND, SECOND + 9)], expired(early)]), []);
    // Somebody saw it stand afterwards.
    let (resource, owner) = ("a".to_string(), "owner 5".to_string());
    let stood = Event::Stood { resource, fence: 5, owner, from: SECOND, until: 3 * SECOND + 9 };
    assert_eq!(
        broken(&[vec![grant(5, SECOND), stood.clone()], expired(3 * SECOND)]),
        stood_on(3 * SECOND, 3 * SECOND + 9)
    );
    assert_eq!(broken(&[vec![grant(5, SECOND), stood], expired(3 * SECOND + 9)]), []);
}

#[test]
fn an_end_that_was_recorded_too_late_is_found() {
    let late = |late| {
        let heard = Listener::new(0).hears(SECOND, "granted", 5);
        heard.hears_of(20 * SECOND, "expired", 5, |event| event.late = Some(late)).told
    };
    assert_eq!(broken(&[vec![grant(5, SECOND)], late(5000)]), []);
    assert_eq!(broken(&[vec![grant(5, SECOND)], late(5001)]), [Mistold::Late { late: 5001 }]);
    assert_eq!(broken(&[vec![grant(5, SECOND), fault(15 * SECOND, 16 * SECOND)], late(5001)]), []);
}

#[test]
fn events_of_grants_that_nobody_got_are_found() {
    let phantom = |kind: &str, owner: &str| [Mistold::Phantom { kind: kind.into(), owner: owner.into() }];
    let heard = |kind, at| Listener::new(0).hears(at, kind, 5).told;
    assert_eq!(broken(&[heard("granted", SECOND)]), phantom("granted", "owner 5"));
    assert_eq!(broken(&[heard("queued", SECOND)]), phantom("queued", "owner 5"));
    assert_eq!(
        broken(&[vec![grant(5, SECOND)], heard("granted", SECOND - 1)]),
        phantom("granted", "owner 5"),
        "too early"
    );
    let anothers = Listener::new(0).hears_of(SECOND, "granted", 5, |event| event.owner = "owner 7".into()).told;
    assert_eq!(
        broken(&[vec![grant(5, SECOND), release(5, SECOND + 99), grant(7, 2 * SECOND)], anothers.clone()])[..1],
        phantom("granted", "owner 7")
    );
    // The client was refused; if Gorilla took the grant back, that is told.
    let refused = || {
        let Event::Acquire(acquire) = grant(5, SECOND) else { unreachable!() };
        vec![Event::Acquire(Acquire { grant: None, ..acquire })]
    };
    let ended = |kind| Listener::new(0).hears(SECOND, "granted", 5).hears(4 * SECOND, kind, 5).told;
    assert_eq!(broken(&[refused(), ended("expired")]), phantom("granted", "owner 5"));
    assert_eq!(broken(&[refused(), ended("undone")]), []);
    // Nobody knows what became of a request without an answer.
    let lost = || {
        let Event::Acquire(acquire) = grant(5, SECOND) else { unreachable!() };
        vec![Event::Acquire(Acquire { grant: None, answered: None, known: false, ..acquire })]
    };
    assert_eq!(broken(&[lost(), ended("expired")]), []);
}

#[test]
fn events_out_of_order_are_found() {
    let disordered =
        |kind: &str, after: &str, fence| [Mistold::Disordered { kind: kind.into(), after: (after.into(), fence) }];
    // The later grant is told first.
    let swapped = Listener::new(0).hears(3 * SECOND, "granted", 7).hears(4 * SECOND, "released", 7);
    let swapped = swapped.hears(4 * SECOND, "granted", 5).hears(4 * SECOND, "released", 5).hears_visit(9 * SECOND, 9);
    assert_eq!(broken(&[two_grants(), swapped.told]), disordered("granted", "granted", 7));
    let extended = first(0).hears(2 * SECOND, "extended", 5);
    assert_eq!(
        broken(&[vec![grant(5, SECOND), release(5, 2 * SECOND)], extended.told]),
        disordered("extended", "released", 5)
    );
    // A waiter took the lock before anybody was told that the lease had ended.
    let clients = || vec![grant(5, SECOND), grant(7, 3 * SECOND), release(7, 4 * SECOND)];
    let derived = Listener::new(0).hears(SECOND, "granted", 5);
    let derived = derived.hears_of(3 * SECOND, "expired", 5, |event| event.cursor = "granted 7.e".into());
    assert_eq!(broken(&[clients(), derived.hears(3 * SECOND, "granted", 7).told]), []);
}

#[test]
fn a_listener_that_goes_on_is_told_nothing_again_and_one_that_goes_back_the_same() {
    let goes_on = || first(0).resumes(3 * SECOND, "released", 5);
    let rest = |listener: Listener| {
        listener.hears(3 * SECOND, "granted", 7).hears(4 * SECOND, "released", 7).hears_visit(9 * SECOND, 9).told
    };
    assert_eq!(broken(&[two_grants(), rest(goes_on())]), []);
    let again = goes_on().hears(3 * SECOND, "released", 5);
    assert_eq!(broken(&[two_grants(), rest(again)])[0], Mistold::Twice { cursor: "released 5".into() });
    let goes_back = |kind, fence| first(0).resumes(3 * SECOND, kind, fence);
    assert_eq!(broken(&[two_grants(), rest(goes_back("granted", 5).hears(3 * SECOND, "released", 5))]), []);
    let skips = Mistold::Different { cursor: "released 5".into(), instead: "granted 7".into() };
    assert_eq!(broken(&[two_grants(), rest(goes_back("granted", 5))]), [skips]);
    // It goes back twice, the second time before it has come to where it was; and a bookmark has moved it on.
    let twice = goes_back("granted", 5).resumes(3 * SECOND, "granted", 5).hears(3 * SECOND, "released", 5);
    let bookmarked = twice.told(3 * SECOND, Told::Position { cursor: "here".into() });
    let bookmarked = bookmarked.told(3 * SECOND, Told::Resumed { since: "here".into() });
    assert_eq!(broken(&[two_grants(), rest(bookmarked)]), []);
}

#[test]
fn two_listeners_that_are_told_different_things_are_found() {
    let extended = |number| first(number).hears(3 * SECOND, "granted", 7).hears(3 * SECOND, "extended", 7);
    let rest = |listener: Listener| listener.hears(4 * SECOND, "released", 7).hears_visit(9 * SECOND, 9).told;
    assert_eq!(broken(&[two_grants(), rest(extended(0)), rest(extended(1))]), []);
    let different = Mistold::Different { cursor: "extended 7".into(), instead: "released 7".into() };
    assert_eq!(broken(&[two_grants(), rest(extended(0)), all(1).told]), [different]);
    // The other began to listen later, or events are missing for it.
    let late = Listener::new(1).misses(3 * SECOND).hears(3 * SECOND, "extended", 7);
    assert_eq!(broken(&[two_grants(), rest(extended(0)), rest(late)]), []);
    // Which events only one of them was told before those that both were told, shows too.
    let without = Listener::new(1).hears(2 * SECOND, "extended", 5).hears(2 * SECOND, "released", 5);
    let without = without.hears(3 * SECOND, "granted", 7).hears(3 * SECOND, "extended", 7);
    let different = Mistold::Different { cursor: "granted 5".into(), instead: "extended 5".into() };
    let found = broken(&[two_grants(), rest(extended(0)), rest(without)]);
    assert!(found.contains(&different), "{found:?}");
}

#[test]
fn terms_that_go_back_are_found() {
    let leads = |listener: Listener, term| listener.told(3 * SECOND, Told::Leads { resource: "a".into(), term });
    let heard = leads(leads(first(0), 5), 7);
    let rest = |listener: Listener| listener.told;
    let clients = || vec![grant(5, SECOND), release(5, 2 * SECOND)];
    assert_eq!(broken(&[clients(), rest(leads(heard, 7))]), [], "told again, because the leader extends");
    let back = leads(leads(first(0), 7), 5);
    assert_eq!(broken(&[clients(), rest(back)]), [Mistold::TermBack { later: 7 }]);
    // What a listener is told again is what it was told before.
    let again = leads(leads(first(0), 7).resumes(3 * SECOND, "granted", 5), 5).hears(3 * SECOND, "released", 5);
    assert_eq!(broken(&[clients(), rest(leads(again, 7))]), []);
}

#[test]
fn what_is_said_names_the_listener_the_lock_and_the_grant() {
    let found = check(&History { events: [two_grants(), first(3).hears_visit(9 * SECOND, 9).told].concat() });
    let said = "listener 3 and fence 7 of a: the grant was answered at 3.000 s, and the listener was not told of it";
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [said]);
}

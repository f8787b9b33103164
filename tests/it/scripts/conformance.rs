//! The scripts do what the model of the protocol in `tests/model` does: random steps run through both. For each step
//! there is an instant, while Redis was busy with it, at which the model gives the same reply and leaves the same keys.
//!
//! A failing run prints its seed; `GORILLA_TEST_SEED=<seed>` repeats its choices.

mod set;
mod state;
mod step;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use fastrand::Rng;
use gorilla_model::{
    redis::{Fingerprint, Id, Member, Ms, Name, Outcome, Redis as Model, SETS, Share, Token, Turn, Us},
    scripts::{Acquire, Arrived, Break, Cancel, Change, Convert, Extend, Hold, Release, TakeAll},
};
use gorilla_scripts::{Constants, Script, Scripts};

use super::{Lab, raw, replies_in_header, text};
use crate::harness::Redis;
use state::{KEYS, attempt, in_order, lines, member};
use step::{HOLDERS, MOST_CALLED, MOST_ENDED, ROOM, Step, TURN, WINDOW};

const SCRIPTS: [&str; 17] = [
    "cancel",
    "claim",
    "convert",
    "extend",
    "handover",
    "hold",
    "join",
    "limit",
    "past_break",
    "release",
    "renew",
    "shared_break",
    "shared_extend",
    "shared_release",
    "take_all",
    "try",
    "wake",
];
const FEWEST_STEPS: u32 = 500;
const LIMIT: Duration = Duration::from_secs(300);
/// Nothing ends by itself during a run: these are as long as no run is.
const LEASE: u64 = 3_600_000;
const CONSTANTS: Constants = Constants {
    window: WINDOW,
    fence_kept: WINDOW,
    place_kept: WINDOW,
    longest_attempt: WINDOW,
    room: ROOM,
    holders: HOLDERS,
    ..super::CONSTANTS
};
/// What a run must bring about beside each reply.
const RARE: [&str; 3] = [
    "several are called",
    "one of several that were called has gone, and room is kept for the other",
    "more leases have ended than a script takes out",
];
const BOTH_GRANTED: &str = "both parts are granted";
const SECOND_BLOCKED: &str = "the second part is in the way";
const SECOND_UNSURE: &str = "the second part is unsure";
const SHARE_COMMITTED: &str = "a part of a shared lock is committed";
const COMMIT_TOLD: &str = "a copy is told the lease of a commit";
const COPIES_KEPT: &str = "a part that copies were told of is renewed or committed";
const TAKEN_ANEW: &str = "a part that ended before its commit is taken anew";
/// Likewise with sets.
const RARE_OF_SETS: [&str; 7] =
    [BOTH_GRANTED, SECOND_BLOCKED, SECOND_UNSURE, SHARE_COMMITTED, COMMIT_TOLD, COPIES_KEPT, TAKEN_ANEW];
/// The Idempotency-Keys of sets: of those that want the lock alone, and of those that may want to share it.
const KEYS_OF_SETS: [u8; 2] = [3, 4];
/// Attempts on one resource: keys that are used up make a long run dull.
const ATTEMPTS: Id = 12;

/// The scripts with bounds that a run goes beyond.
fn scripts_with_small_bounds() -> Scripts {
    let mut scripts = Scripts::new(&CONSTANTS);
    let small = [
        ("MOST_ENDED = 256", format!("MOST_ENDED = {MOST_ENDED}")),
        ("MOST_CALLED = 1024", format!("MOST_CALLED = {MOST_CALLED}")),
        // A loop over all that are called goes round more than once.
        ("AT_ONCE = 16", "AT_ONCE = 2".into()),
    ];
    let Scripts { cancel, hold, wake, join, shared_extend, shared_release, shared_break, convert, limit, .. } =
        &mut scripts;
    for script in [cancel, hold, wake, join, shared_extend, shared_release, shared_break, convert, limit] {
        let source = small.iter().fold(script.source.to_string(), |source, (old, new)| source.replace(old, new));
        assert_ne!(source, *script.source);
        *script = Script::of(source).into();
    }
    scripts
}

/// A resource in Redis and in the model.
struct Both<'a> {
    redis: &'a Redis,
    lab: Lab<'a>,
    model: Model,
    /// When the keys were looked at last.
    looked: Us,
    /// Whether steps are taken by the scripts of version 0.1 too, and none is made that only one version makes.
    skewed: bool,
    /// Whether requests want to share the lock here, or all want it alone.
    shared: bool,
    /// What the requests with each Idempotency-Key want of a shared lock.
    shares: [Option<Share>; 5],
    /// The limit that most requests name.
    limit: Option<u8>,
    made: Vec<Acquire>,
    tokens: Vec<Token>,
    ids: Id,
}

impl<'a> Both<'a> {
    fn new(redis: &'a Redis, skewed: bool, rng: &mut Rng) -> Self {
        let (mut lab, model) = (Lab::with(redis, CONSTANTS), Model::default());
        lab.scripts = scripts_with_small_bounds();
        let limit = rng.choice([None, Some(2), Some(4)]).flatten();
        let (shared, shares, made, tokens) = (rng.u8(..3) > 0, [None; 5], Vec::new(), Vec::new());
        let mut both = Self { redis, lab, model, looked: 0, skewed, shared, shares, limit, made, tokens, ids: 0 };
        // One of the keys, and one of those of sets, is of requests that want the lock alone.
        both.shares = [None, both.some_share(rng), both.some_share(rng), None, both.some_share(rng)];
        both.look();
        both
    }

    fn some_share(&self, rng: &mut Rng) -> Option<Share> {
        if !self.shared {
            return None;
        }
        let limit = if rng.u8(..8) == 0 { Some(3) } else { self.limit };
        let permits = if rng.u8(..16) == 0 { 5 } else { rng.u8(1..=2) };
        Some(Share { permits: permits.min(limit.unwrap_or(permits)), limit })
    }

    fn next_id(&mut self) -> Id {
        self.ids += 1;
        self.ids
    }

    fn look(&mut self) -> BTreeSet<String> {
        let lines = raw::ask(self.redis.port, &["EVAL", KEYS, "0", &self.lab.key("")]);
        self.looked = lines[0].parse().expect("the time");
        lines[1..].iter().map(|line| in_order(line)).collect()
    }

    /// Takes a step on both sides, by the scripts of version 0.1 if `old`.
    fn take(&mut self, step: &Step, old: bool) -> String {
        let before = self.looked;
        let reply = if old { step.run_old(&self.lab) } else { step.run(&self.lab) };
        let keys = self.look();
        let after = self.looked;
        let meanwhile = before / 1000..=after / 1000;
        let at = |now| {
            let mut model = self.model.clone();
            let reply = if old { step.expect_old(&mut model, now) } else { step.expect(&mut model, now) };
            date_turn(&mut model, &keys, &meanwhile);
            // Each release of version 0.1 ends a turn whose waiter is gone; now the plain case leaves it.
            if old && matches!(step, Step::Release(_)) && reply[0] == "released" && model.queue.is_empty() {
                model.turn = None;
            }
            (model, reply)
        };
        let expected: Vec<_> = instants(before, after, reply.iter().chain(&keys)).into_iter().map(at).collect();
        let alike = |other: &[String]| other.len() == reply.len() && other[0] == reply[0];
        let said = |index: usize| expected.iter().any(|(_, other)| alike(other) && other[index] == reply[index]);
        if (0..reply.len()).all(said)
            && let Some((model, _)) = expected.into_iter().find(|(model, other)| alike(other) && lines(model) == keys)
        {
            self.model = model;
            return reply.into_iter().next().expect("a reply has a name");
        }
        let before_that = lines(&self.model);
        let expected = step.expect(&mut self.model, before);
        println!("before: {before_that:#?}");
        panic!(
            "{step:?}\nRedis says {reply:?} and has {keys:#?}\nthe model says {expected:?} and has {:#?}",
            lines(&self.model)
        );
    }

    /// A lease ends, or those of some holders of a group.
    fn expire(&mut self, rng: &mut Rng) {
        let mut ids = self.model.group.as_ref().map(|group| group.by_end()).unwrap_or_default();
        let all = ids.len();
        ids.truncate(rng.usize(..=all));
        let Some(group) = self.model.group.as_mut().filter(|_| ids.len() < all) else {
            self.lab.cli(&["DEL"], "lock", &[&self.lab.key("holders")]);
            (self.model.lock, self.model.group) = (None, None);
            return;
        };
        // Long ago, one after another.
        for (end, id) in (1..).zip(ids) {
            let member = group.members.get_mut(&id).expect("a holder");
            member.expires = end;
            let place = format!("{} {}", attempt(id), member.permits);
            self.lab.cli(&["ZADD"], "holders", &["XX", &end.to_string(), &place]);
        }
    }

    /// A turn passes, so long ago.
    fn miss(&mut self, ago: u64) {
        let Some(Turn { since, id }) = self.model.turn else { return };
        let Some(place) = self.model.queue.iter().find(|place| place.id == id) else { return };
        let since = since - ago;
        self.lab.cli(
            &["SET"],
            "queue:turn",
            &[&format!("{since} {}", member(id, place.channel, place.share)), "KEEPTTL"],
        );
        self.model.turn = Some(Turn { since, id });
    }

    fn acquires(&mut self, rng: &mut Rng) -> Acquire {
        let id = self.next_id();
        // Version 0.1 has no sets.
        let keys = if !self.skewed && rng.u8(..4) == 0 { 3..5 } else { 0..3 };
        let key = rng.bool().then(|| rng.u8(keys));
        let share = match key {
            Some(key) => self.shares[usize::from(key)],
            None if rng.u8(..3) == 0 => None,
            None => self.some_share(rng),
        };
        let request = key.map_or(Name::Attempt(id), Name::Key);
        let fingerprint = key.map(|key| if rng.u8(..12) == 0 { 9 } else { fingerprint(key) });
        let token = Token { tenure: id, number: 0 };
        // Several wait now and then.
        let wait = rng.u8(..4) < if self.model.queue.is_empty() { 2 } else { 3 };
        let (channel, arrived) = (rng.u8(..2), Arrived::Not);
        self.tokens.push(token);
        // Now and then a copy of a request that waits, whose place the copy may take: chance alone seldom makes such a
        // copy.
        let waits = |call: &&Acquire| self.model.queue.iter().any(|place| place.id == call.id);
        let waiting = self.made.iter().filter(|call| call.fingerprint.is_some()).find(waits);
        if let Some(call) = waiting.filter(|_| rng.u8(..3) == 0) {
            return Acquire { id, token, wait: true, channel, arrived, ..call.clone() };
        }
        Acquire { id, token, lease: LEASE, request, fingerprint, wait, channel, arrived, share }
    }

    /// The next call of an attempt that was made before.
    fn again(&self, rng: &mut Rng) -> Option<Acquire> {
        // Mostly an attempt whose place a copy has taken, if there is such an attempt: chance alone seldom finds it.
        let superseded = |call: &&Acquire| {
            let record = self.model.requests.get(&call.request).map(|record| &record.outcome);
            let another = matches!(record, Some(Outcome::Waiting { place, .. }) if place.id != call.id);
            another && call.arrived != Arrived::Not
        };
        let call = match self.made.iter().find(superseded).filter(|_| rng.u8(..3) > 0) {
            Some(call) => call,
            None => rng.choice(&self.made)?,
        };
        let place = self.model.queue.iter().find(|place| place.id == call.id);
        // Version 0.1 asked again for attempts without a key whose calls were lost.
        let holds = self.model.holds(call.id);
        if self.skewed && call.fingerprint.is_none() && holds {
            return None;
        }
        let arrived = match (place, rng.u8(if self.skewed { 2 } else { 0 }..4)) {
            (Some(_), 0) => Arrived::Unknown,
            (Some(place), _) => Arrived::At(place.arrived),
            // This is the arrival of a call whose connection was given up, or of a place that was dropped.
            (None, 0) => Arrived::Not,
            (None, 1) => Arrived::Unknown,
            (None, _) => call.arrived,
        };
        Some(Acquire { wait: rng.bool(), arrived, ..call.clone() })
    }

    /// Whether a set waits for its commit, and copies of its request were told of this part.
    fn relied_on(&self, call: &Acquire) -> bool {
        self.model.holds(call.id)
            && self.model.requests.get(&call.request).is_some_and(|record| {
                let of_call = matches!(record.outcome, Outcome::Acquired { id, ends: Some(0), .. } if id == call.id);
                of_call && !record.told.is_empty()
            })
    }

    /// Mostly of a part of a set that holds the lock.
    fn hold(&self, rng: &mut Rng) -> Option<Step> {
        let of_set = |call: &&Acquire| call.fingerprint.is_some_and(|mark| mark >= SETS);
        // Likely of a part that copies were told of: chance alone seldom finds it.
        let relied_on = self.made.iter().find(|call| self.relied_on(call)).filter(|_| rng.bool());
        let part = relied_on.or_else(|| self.made.iter().filter(of_set).find(|call| self.model.holds(call.id)));
        // A set without a key leaves no record that would tell its parts from other grants.
        let any: Vec<_> = self.made.iter().filter(|call| of_set(call) || call.fingerprint.is_none()).collect();
        let any = rng.choice(any)?;
        // Most others have ended.
        let call = if rng.u8(..4) > 0 { part? } else { any };
        let once = call.fingerprint.map(|mark| (call.request, mark));
        let lease = rng.choice([LEASE / 2, LEASE, 2 * LEASE]).unwrap_or(LEASE);
        Some(Step::Hold(Hold { id: call.id, lease, commit: rng.u8(..3) > 0, once }))
    }

    fn some_holder(&self, rng: &mut Rng) -> Option<&Member> {
        rng.choice(self.model.group.as_ref()?.members.values())
    }

    fn some_token(&self, rng: &mut Rng) -> Option<Token> {
        let holder = self.some_holder(rng).map(|holder| holder.token);
        let current = self.model.lock.as_ref().map(|lock| lock.token).or(holder);
        let current = current.filter(|_| rng.u8(..4) > 0);
        current.or_else(|| rng.choice(self.tokens.iter().copied()))
    }

    /// Mostly of a grant that was broken, if one was.
    fn some_token_of_the_past(&self, rng: &mut Rng) -> Option<Token> {
        let broken = rng.choice(self.model.broken.keys().copied()).filter(|_| rng.u8(..4) > 0);
        broken.or_else(|| rng.choice(self.tokens.iter().copied()))
    }

    fn renewal(&mut self, rng: &mut Rng) -> Option<Extend> {
        let token = self.some_token(rng)?;
        let new_token = Token { tenure: token.tenure, number: self.tokens.len() as u8 };
        self.tokens.push(new_token);
        // Now and then one that comes again, later.
        let earlier = [30, 31].map(Name::Key).into_iter().find(|name| self.model.requests.contains_key(name));
        let again = earlier.filter(|_| rng.u8(..4) == 0).map(|name| (name, 30));
        let once = again.or_else(|| self.once(rng, 30));
        // One request asks for one lease.
        let lease = match once {
            Some((Name::Key(key), _)) if key % 2 == 1 => LEASE / 2,
            _ => 2 * LEASE,
        };
        Some(Extend { token, new_token, lease, once })
    }

    fn conversion(&mut self, rng: &mut Rng) -> Option<Convert> {
        let (token, id) = (self.some_token(rng)?, self.next_id());
        let new_token = Token { tenure: id, number: 0 };
        self.tokens.push(new_token);
        // Mostly of the other mode. One request wants one thing.
        let wants_share = self.model.lock.is_some() == (rng.u8(..6) > 0);
        let key = if wants_share { 40 } else { 41 };
        let once = match rng.u8(..4) {
            0 => self.once(rng, 40).filter(|(name, _)| *name < Name::Key(40)),
            1 => None,
            _ => Some((Name::Key(key), 40)),
        };
        let share = match once {
            // More than any limit allows.
            None if wants_share && rng.bool() => Some(Share { permits: 2, limit: Some(1) }),
            _ if wants_share => self.shares[1],
            _ => None,
        };
        let lease = if once.is_none() && rng.u8(..3) == 0 { LEASE / 2 } else { 2 * LEASE };
        Some(Convert { token, id, new_token, lease, share, once })
    }

    /// Under the keys of acquires now and then.
    #[expect(clippy::unused_self, reason = "beside the others")]
    fn once(&self, rng: &mut Rng, own: u8) -> Option<(Name, u8)> {
        let key = if rng.u8(..4) == 0 { rng.u8(..3) } else { own + rng.u8(..2) };
        rng.bool().then_some((Name::Key(key), own))
    }

    /// What a client or a person does with a shared lock.
    fn step_of_group(&mut self, rng: &mut Rng) -> Option<Step> {
        Some(match rng.u8(..10) {
            0..3 => Step::SharedRelease(Release { token: self.some_token(rng)?, once: self.once(rng, 20) }),
            3 | 4 => Step::SharedExtend({
                let renewal = self.renewal(rng)?;
                let new_token = if rng.u8(..3) == 0 { renewal.token } else { renewal.new_token };
                Extend { new_token, ..renewal }
            }),
            5 => {
                let fence = self.some_holder(rng).map(|holder| if rng.u8(..4) == 0 { 1 } else { holder.fence });
                Step::SharedBreak(Break { fence: fence.filter(|_| rng.u8(..4) > 0), once: self.once(rng, 50) })
            }
            6 | 7 => Step::Convert(self.conversion(rng)?),
            8 => Step::PastBreak(self.some_token_of_the_past(rng)?),
            _ => Step::Limit(match rng.u8(..4) {
                0 => Change::Nothing,
                1 => Change::Pin(rng.u8(1..=4)),
                _ => Change::Unpin,
            }),
        })
    }

    /// The script that a replica has look at a call first: mostly that for shared locks where it is needed.
    fn asks(&self, call: Acquire, rng: &mut Rng) -> Step {
        // Version 0.1 has no such script, and so meets groups.
        let needed = if self.model.group.is_some() && !self.skewed { 2 } else { 1 };
        let joins = call.share.is_some() || self.shared && rng.u8(..4) < needed;
        if joins { Step::Join(call) } else { Step::Acquire(call) }
    }

    /// The next call of one of the waiters that were called, or of the first in the queue of a free lock: replicas make it
    /// at once.
    fn called(&self, rng: &mut Rng) -> Option<Step> {
        let first = self.model.queue.first().filter(|_| self.shared && self.model.is_free());
        let bound = first.map(|place| place.arrived).or(self.model.group.as_ref().map(|group| group.bound))?;
        let called: Vec<_> = self.model.queue.iter().filter(|place| place.arrived <= bound).collect();
        let place = rng.choice(called)?;
        let call = self.made.iter().find(|call| call.id == place.id)?;
        Some(Step::Join(Acquire { arrived: Arrived::At(place.arrived), wait: rng.u8(..4) > 0, ..call.clone() }))
    }

    /// What is rare in a group, and has come about by a step.
    fn came_about(&self, before: &Model) -> Vec<(&'static str, String)> {
        let called = |model: &Model| {
            let bound = model.group.as_ref().map_or(0, |group| group.bound);
            model.queue.iter().filter(|place| place.arrived <= bound).count()
        };
        let reserved = self.model.group.as_ref().map_or(0, |group| group.reserved);
        let mut ends = self.model.group.iter().flat_map(|group| group.members.values()).map(|member| member.expires);
        let rare = [
            called(&self.model) > 1,
            called(before) > 1 && called(&self.model) == 1 && reserved > 0,
            ends.any(|end| end < LEASE),
        ];
        RARE.iter().zip(rare).filter(|(_, is)| *is).map(|(what, _)| ("group", (*what).to_string())).collect()
    }

    /// What is rare of sets, and has come about by a step on a part.
    fn came_about_in_set(&self, before: &Model, step: &Step, reply: &str) -> Vec<&'static str> {
        let committed = |model: &Model, name| match &model.requests.get(&name)?.outcome {
            Outcome::Acquired { id, ends: Some(ends), .. } => Some((*id, *ends > 0)),
            _ => None,
        };
        let rare = match step {
            Step::Hold(call) if reply == "held" => {
                let record = call.once.and_then(|(name, _)| self.model.requests.get(&name));
                vec![
                    (SHARE_COMMITTED, call.commit && self.model.group.is_some()),
                    (COPIES_KEPT, record.is_some_and(|record| !record.told.is_empty())),
                ]
            }
            Step::Acquire(call) | Step::Join(call) => {
                let (earlier, now) = (committed(before, call.request), committed(&self.model, call.request));
                let ended = earlier.is_some_and(|(id, committed)| !committed && !before.holds(id));
                vec![
                    (
                        COMMIT_TOLD,
                        ["replayed", "rejoined"].contains(&reply) && now.is_some_and(|(_, committed)| committed),
                    ),
                    (TAKEN_ANEW, ["granted", "joined"].contains(&reply) && ended),
                ]
            }
            _ => Vec::new(),
        };
        rare.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect()
    }

    fn step(&mut self, rng: &mut Rng) -> Option<Step> {
        let likely = self.made.iter().any(|call| self.relied_on(call));
        if !self.skewed
            && rng.u8(..if likely { 4 } else { 10 }) == 0
            && let Some(step) = self.hold(rng)
        {
            return Some(step);
        }
        if rng.bool()
            && let Some(step) = self.called(rng)
        {
            return Some(step);
        }
        // Several that want to share wait behind a holder.
        if self.shared && !self.model.is_free() && self.model.queue.len() < ROOM && rng.u8(..4) == 0 {
            let call = self.acquires(rng);
            let share = if call.fingerprint.is_none() { self.some_share(rng) } else { call.share };
            return Some(self.asks(Acquire { wait: true, share, ..call }, rng));
        }
        let most = match (self.shared, &self.model.group) {
            (false, _) => 18,
            (true, None) => 21,
            (true, Some(_)) => 30,
        };
        Some(match rng.u8(..most) {
            0..5 => {
                let call = self.acquires(rng);
                self.asks(call, rng)
            }
            5..9 => {
                let call = self.again(rng)?;
                self.asks(call, rng)
            }
            9..11 => {
                // Likewise an attempt whose grant a copy was told of, and that of the holder: without this a run takes
                // up to a minute until it has seen each reply.
                let told = |call: &&Acquire| {
                    let Some(record) = self.model.requests.get(&call.request) else { return false };
                    matches!(record.outcome, Outcome::Acquired { id, .. } if id == call.id)
                        && record.told.iter().any(|other| *other != call.id && !record.cancelled.contains(other))
                };
                let holds = |call: &&Acquire| self.model.holds(call.id);
                let likely = match rng.u8(..6) {
                    0 | 1 => self.made.iter().find(holds),
                    2 => self.made.iter().find(told),
                    _ => None,
                };
                let call = match likely {
                    Some(call) => call,
                    None => rng.choice(&self.made)?,
                };
                Step::Cancel(Cancel { id: call.id, request: call.request }, call.channel, call.share)
            }
            11..13 => Step::Release(Release { token: self.some_token(rng)?, once: self.once(rng, 20) }),
            13..15 => {
                let renewal = self.renewal(rng)?;
                // Version 0.1 has nothing like a renewal of many.
                if renewal.once.is_none() && rng.bool() {
                    Step::Renew(Extend { new_token: renewal.token, ..renewal })
                } else {
                    Step::Extend(renewal)
                }
            }
            15 => Step::Wake,
            18.. => self.step_of_group(rng)?,
            // Mostly of the first waiter, as a replica does it.
            _ => {
                let first = self.model.queue.iter().next().map(|place| place.id);
                let first = self.made.iter().find(|call| Some(call.id) == first).filter(|_| rng.u8(..4) > 0).cloned();
                let mut claim =
                    if let Some(call) = first { Acquire { wait: rng.bool(), ..call } } else { self.again(rng)? };
                if claim.arrived == Arrived::Not {
                    claim.arrived = Arrived::Unknown;
                }
                if claim.share.is_some() {
                    return None;
                }
                Step::Handover(Release { token: self.some_token(rng)?, once: self.once(rng, 20) }, claim)
            }
        })
    }
}

/// The fingerprint of the requests with an Idempotency-Key.
fn fingerprint(key: u8) -> Fingerprint {
    if KEYS_OF_SETS.contains(&key) { SETS + key } else { key }
}

/// When Redis may have read its clock between two looks: to the millisecond, or as what it said or wrote tells.
fn instants<'l>(before: Us, after: Us, lines: impl Iterator<Item = &'l String>) -> Vec<Us> {
    let numbers = lines.flat_map(|line| line.split(|char: char| !char.is_ascii_digit()));
    let told = numbers.filter_map(|number| number.parse().ok()).filter(|time| (before..=after).contains(time));
    told.chain((before / 1000..=after / 1000).map(|ms| (ms * 1000).max(before))).collect()
}

/// Within a script TIME and PTTL may read the clock one after the other. So a turn that was given meanwhile has its own
/// time, and each item of the reply, too.
fn date_turn(model: &mut Model, keys: &BTreeSet<String>, meanwhile: &RangeInclusive<Ms>) {
    let since = keys.iter().find_map(|line| line.strip_prefix("queue:turn ")?.split(' ').next()?.parse().ok());
    if let (Some(turn), Some(since)) = (&mut model.turn, since.filter(|since| meanwhile.contains(since)))
        && meanwhile.contains(&turn.since)
    {
        turn.since = since;
    }
}

/// A set that wants some of the resources, in the order in which they are given.
fn some_set(parts: &mut [&mut Both], rng: &mut Rng) -> TakeAll {
    let first = parts.iter().map(|both| both.ids).max().unwrap_or_default() + 1;
    let last = first + parts.len() as Id - 1;
    let part = |id| (id, Token { tenure: id, number: 0 });
    let once = rng.bool().then(|| (Name::Key(KEYS_OF_SETS[0]), fingerprint(KEYS_OF_SETS[0])));
    let call =
        TakeAll { parts: (first..=last).map(part).collect(), owner: last, lease: LEASE, once, channel: rng.u8(..2) };
    for (index, both) in parts.iter_mut().enumerate() {
        both.ids = last;
        both.tokens.push(call.parts[index].1);
        both.made.push(call.part(index));
    }
    call
}

/// Takes a step on several resources, on both sides.
fn take_all(parts: &mut [&mut Both], call: &TakeAll) -> Vec<String> {
    let before = parts.iter().map(|both| both.looked).max().unwrap_or_default();
    let reply = set::run(call, &parts.iter().map(|both| &both.lab).collect::<Vec<_>>());
    let keys: Vec<_> = parts.iter_mut().map(|both| both.look()).collect();
    let after = parts.iter().map(|both| both.looked).max().unwrap_or_default();
    let meanwhile = before / 1000..=after / 1000;
    let at = |now| {
        let mut models: Vec<_> = parts.iter().map(|both| both.model.clone()).collect();
        let reply = set::expect(call, &mut models, now);
        models.iter_mut().zip(&keys).for_each(|(model, keys)| date_turn(model, keys, &meanwhile));
        (models, reply)
    };
    let lines_of_all = reply.iter().chain(keys.iter().flatten());
    let expected: Vec<_> = instants(before, after, lines_of_all).into_iter().map(at).collect();
    let alike = |other: &[String]| other.len() == reply.len() && other[..2] == reply[..2];
    let said = |index: usize| expected.iter().any(|(_, other)| alike(other) && other[index] == reply[index]);
    let has = |models: &[Model]| models.iter().map(lines).eq(keys.iter().cloned());
    if !(0..reply.len()).all(said) || !expected.iter().any(|(models, other)| alike(other) && has(models)) {
        let before_that: Vec<_> = parts.iter().map(|both| lines(&both.model)).collect();
        let (models, other) = &expected[0];
        let model_has: Vec<_> = models.iter().map(lines).collect();
        println!("before: {before_that:#?}");
        panic!("{call:?}\nRedis says {reply:?} and has {keys:#?}\nthe model says {other:?} and has {model_has:#?}");
    }
    let fitting = expected.into_iter().find(|(models, other)| alike(other) && has(models));
    let models = fitting.map(|(models, _)| models).unwrap_or_default();
    parts.iter_mut().zip(models).for_each(|(both, model)| both.model = model);
    reply
}

#[test]
fn the_scripts_do_what_the_model_of_the_protocol_does_until_every_reply_has_been_seen() {
    conform(false);
}

/// While replicas are upgraded or rolled back, both versions run their scripts on one Redis.
#[test]
fn the_scripts_of_version_0_1_and_the_present_ones_do_so_in_any_mix() {
    conform(true);
}

fn conform(skewed: bool) {
    let seed = env::var("GORILLA_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed"));
    println!("GORILLA_TEST_SEED={seed}");
    let replies = |script| replies_in_header(&text(script)).into_iter().map(move |reply| (script, reply));
    // What only a grace brings about is in the module `recovery`: here no data are lost.
    // The model leaves a break with a grace out, requests that replace others, and quotas.
    let left_out = ["recovering", "unsettled", "breaking", "replaced", "over"];
    let lossless = |(_, reply): &(&str, String)| !left_out.contains(&reply.as_str());
    // What one script replies seldom and another often: they share the lines that reply so.
    let often = |(script, reply): &(&str, String)| match *script {
        "claim" => !["full", "reused"].contains(&reply.as_str()),
        "join" => !["reused", "replayed"].contains(&reply.as_str()),
        "shared_break" | "convert" => reply != "reused",
        _ => true,
    };
    // Steps by version 0.1, and those of them on a group and in a queue with places of shared requests.
    let (mut by_old, mut on_groups, mut on_places) = (0, 0, 0);
    let mut all: BTreeSet<(&str, String)> =
        SCRIPTS.into_iter().flat_map(replies).filter(lossless).filter(often).collect();
    all.extend(RARE.map(|what| ("group", what.into())));
    all.extend(RARE_OF_SETS.map(|what| ("set", what.into())));
    let (begun, mut steps, mut seen) = (Instant::now(), 0, BTreeMap::new());
    let mut rng = Rng::with_seed(seed);
    let missing = |seen: &BTreeMap<_, u32>| -> Vec<_> {
        all.iter().filter(|reply| !seen.contains_key(*reply)).cloned().collect()
    };
    // All that both versions reply is seen without the other, too.
    let fewest = if skewed { 2 * FEWEST_STEPS } else { FEWEST_STEPS };
    while steps < fewest || !skewed && !missing(&seen).is_empty() {
        assert!(begun.elapsed() < LIMIT, "in {steps} steps {:?} were not seen, but {seen:?}", missing(&seen));
        // Two, so that sets want more than one. Mostly steps are on the first, until it is used up.
        let mut resources = [(); 2].map(|()| Both::new(Redis::shared(), skewed, &mut rng));
        let mut last = [None, None];
        loop {
            let [first, second] = resources.each_ref().map(|both| both.made.len() < ATTEMPTS.into());
            if !(first || second) {
                break;
            }
            let index = usize::from(!first || second && rng.u8(..4) == 0);
            let looked = resources.iter().map(|both| both.looked).max().unwrap_or_default();
            resources.iter_mut().for_each(|both| both.looked = looked);
            if first && second && !skewed && rng.u8(..16) == 0 {
                let [one, other] = &mut resources;
                let mut parts = if rng.bool() { vec![one, other] } else { vec![other, one] };
                // A set of one resource now and then.
                parts.truncate(rng.usize(..6).clamp(1, 2));
                let call = some_set(&mut parts, &mut rng);
                let reply = take_all(&mut parts, &call);
                let rare = match (&*reply[0], &*reply[1]) {
                    ("granted", _) if parts.len() == 2 => Some(BOTH_GRANTED),
                    ("blocked", "2") => Some(SECOND_BLOCKED),
                    ("unsure", "2") => Some(SECOND_UNSURE),
                    _ => None,
                };
                rare.into_iter().for_each(|rare| *seen.entry(("set", rare.to_string())).or_insert(0) += 1);
                *seen.entry(("take_all", reply[0].clone())).or_insert(0) += 1;
                steps += 1;
                continue;
            }
            let (both, last) = (&mut resources[index], &mut last[index]);
            match rng.u8(..20) {
                0 => both.expire(&mut rng),
                1 if both.model.group.as_ref().is_some_and(|group| group.members.len() > MOST_ENDED + 1) => {
                    both.expire(&mut rng);
                }
                1 => both.miss(TURN),
                2 => both.miss(3 * TURN),
                choice => {
                    // A request comes again.
                    let again = last.take().filter(|_| choice < 8);
                    let Some(step) = again.or_else(|| both.step(&mut rng)) else { continue };
                    let old = skewed && rng.bool() && step.is_old();
                    by_old += u32::from(old);
                    on_groups += u32::from(old && both.model.group.is_some());
                    on_places += u32::from(old && both.model.queue.iter().any(|place| place.share.is_some()));
                    let before = both.model.clone();
                    let reply = both.take(&step, old);
                    both.came_about(&before).into_iter().for_each(|rare| *seen.entry(rare).or_insert(0) += 1);
                    let rare = both.came_about_in_set(&before, &step, &reply);
                    rare.into_iter().for_each(|rare| *seen.entry(("set", rare.to_string())).or_insert(0) += 1);
                    let done = ["extended", "released", "broken", "shares", "alone"].contains(&reply.as_str());
                    *last = done.then(|| step.clone());
                    *seen.entry((step.script(), reply)).or_insert(0) += 1;
                    steps += 1;
                    if let Step::Acquire(mut call) | Step::Join(mut call) | Step::Handover(_, mut call) = step {
                        let place = both.model.queue.iter().find(|place| place.id == call.id);
                        call.arrived = place.map_or(call.arrived, |place| Arrived::At(place.arrived));
                        match both.made.iter_mut().find(|made| made.id == call.id) {
                            Some(made) => made.arrived = call.arrived,
                            None => both.made.push(call),
                        }
                    }
                }
            }
        }
    }
    assert!([by_old, on_groups, on_places].iter().all(|count| (*count > 0) == skewed));
    println!(
        "{steps} steps, {by_old} of them by version 0.1 ({on_groups}, {on_places}), in {:?}: {seen:?}",
        begun.elapsed()
    );
}

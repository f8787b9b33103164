//! Random steps of waiters: each reply is what a small model of the queue says, and the queue in Redis equals that of
//! the model.
//!
//! A failing run prints its seed; `GORILLA_TEST_SEED=<seed>` repeats its choices.

use std::{
    collections::BTreeSet,
    env,
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{Lab, number};
use crate::harness::Redis;

/// Shorter than a place is kept for a client that is away, so that no place lapses.
const RUN: Duration = Duration::from_secs(5);
/// As in `lua/lib/turn.lua`.
const TURN: Duration = Duration::from_secs(1);
const FEWEST_STEPS: u32 = 200;
const LIMIT: Duration = Duration::from_secs(240);
/// As `Lab::queue` tells the script.
const ROOM: usize = 3;

/// Where a client is.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    Nowhere,
    Waiting {
        id: String,
        arrived: i64,
    },
    /// Between two pieces: only with an Idempotency-Key.
    Away {
        arrived: i64,
    },
    Holding {
        id: String,
        relied_on: bool,
    },
}

struct Client {
    keyed: bool,
    request: String,
    place: Place,
}

struct Model<'a> {
    lab: Lab<'a>,
    clients: Vec<Client>,
    attempts: u32,
    seen: BTreeSet<(&'static str, &'static str)>,
}

impl Model<'_> {
    /// When the waiters arrived, and as which attempts, in that order.
    fn queue(&self) -> Vec<(i64, String)> {
        let waiting = self.clients.iter().filter_map(|client| match &client.place {
            Place::Waiting { id, arrived } => Some((*arrived, id.clone())),
            _ => None,
        });
        let mut queue: Vec<_> = waiting.collect();
        queue.sort_unstable();
        queue
    }

    fn is_free(&self) -> bool {
        !self.clients.iter().any(|client| matches!(client.place, Place::Holding { .. }))
    }

    /// Whether a free lock is for a client that arrived then, or that has not arrived.
    fn is_for(&self, arrived: Option<i64>) -> bool {
        let first = self.queue().first().map(|(first, _)| *first);
        self.is_free() && first.is_none_or(|first| arrived.is_some_and(|arrived| arrived <= first))
    }

    fn next_id(&mut self) -> String {
        self.attempts += 1;
        format!("attempt-{}", self.attempts)
    }

    /// An acquire of a client that is nowhere or away, or the next call of a client that waits.
    fn ask(&mut self, index: usize, waits: bool) {
        let before = self.clients[index].place.clone();
        let (id, arrived, joined) = match &before {
            Place::Waiting { id, arrived } => (id.clone(), Some(*arrived), true),
            Place::Away { arrived } => (self.next_id(), Some(*arrived), false),
            _ => (self.next_id(), None, false),
        };
        if before == Place::Nowhere {
            self.clients[index].request = format!("request:{id}");
        }
        let (queue, free, granted) = (self.queue(), self.is_free(), self.is_for(arrived));
        let client = &mut self.clients[index];
        let print = if client.keyed { "print" } else { "" };
        let told = if joined { arrived.expect("it has arrived").to_string() } else { String::new() };
        let wait = if waits { "20000" } else { "0" };
        let reply = self.lab.queue(&id, &client.request, print, "3600000", wait, &told);
        let rank = queue.iter().position(|(_, place)| *place == id).map_or(0, |rank| rank + 1);
        let gave_up = match (client.keyed, arrived) {
            (true, Some(arrived)) => Place::Away { arrived },
            _ => Place::Nowhere,
        };
        let expected = if granted {
            client.place = Place::Holding { id, relied_on: false };
            "granted"
        } else if waits && arrived.is_none() && queue.len() >= ROOM {
            assert_eq!(number(&reply[1]) as usize, queue.len());
            "full"
        } else if waits {
            let now = number(&reply[1]);
            assert!(arrived.is_none_or(|arrived| arrived == now), "{reply:?} after {before:?}");
            assert!(arrived.is_some() || queue.iter().all(|(earlier, _)| *earlier < now), "{reply:?}");
            client.place = Place::Waiting { id, arrived: now };
            "queued"
        } else {
            client.place = gave_up;
            let counted = [queue.len().to_string(), rank.to_string()];
            assert!(reply.ends_with(&counted), "{reply:?} ends with {counted:?}");
            if free { "reserved" } else { "held" }
        };
        assert_eq!(reply[0], expected, "{reply:?} after {before:?}");
        self.seen.insert(("ask", expected));
    }

    /// The client hangs up, or the reply was lost.
    fn cancel(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let (id, expected, after) = match client.place.clone() {
            Place::Waiting { id, arrived } if client.keyed => (id, "marked", Place::Away { arrived }),
            Place::Waiting { id, .. } => (id, "marked", Place::Nowhere),
            Place::Holding { id, relied_on: true } => (id.clone(), "kept", Place::Holding { id, relied_on: true }),
            Place::Holding { id, relied_on: false } => (id, "released", Place::Nowhere),
            Place::Nowhere | Place::Away { .. } => return,
        };
        let request = client.request.clone();
        client.place = after;
        let reply = self.lab.cancel(&id, &request);
        self.check_turn(expected, &reply);
        self.seen.insert(("cancel", expected));
    }

    fn release(&mut self, index: usize) {
        let Place::Holding { id, .. } = self.clients[index].place.clone() else { return };
        self.clients[index].place = Place::Nowhere;
        let reply = self.lab.release(&id);
        self.check_turn("released", &reply);
        self.seen.insert(("release", "released"));
    }

    /// A copy of the request of a client that holds the lock is answered with its grant.
    fn repeat(&mut self, index: usize) {
        let copy = self.next_id();
        let client = &mut self.clients[index];
        let Place::Holding { id, relied_on } = &mut client.place else { return };
        if client.keyed {
            assert_eq!(self.lab.queue(&copy, &client.request, "print", "3600000", "20000", "")[3], *id);
            *relied_on = true;
            self.seen.insert(("repeat", "replayed"));
        }
    }

    /// Somebody has the turn just when the lock is free and somebody waits.
    fn check_turn(&self, expected: &str, reply: &[String]) {
        assert_eq!(reply[0], expected, "{reply:?}");
        assert_eq!(number(&reply[1]) > 0, self.is_free() && !self.queue().is_empty(), "{reply:?}");
    }

    fn check_queue(&self) {
        let places = self.lab.cli(&["ZRANGE"], "queue", &["0", "-1"]);
        let ids: Vec<_> = places.lines().filter_map(|place| place.split(' ').next()).collect();
        let queue = self.queue();
        assert_eq!(ids, queue.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>());
    }
}

/// Takes random steps for as long as nothing runs out of time: no place that is kept, and no turn.
fn run(rng: &mut Rng, model: &mut Model) -> u32 {
    let (begun, mut steps) = (Instant::now(), 0);
    let mut turn_since = None;
    while begun.elapsed() < RUN && turn_since.is_none_or(|since: Instant| since.elapsed() < TURN / 2) {
        let first = model.queue().first().map(|(arrived, _)| *arrived);
        let is_first =
            |client: &Client| matches!(client.place, Place::Waiting { arrived, .. } if Some(arrived) == first);
        let index = match model.clients.iter().position(is_first) {
            // It is not left to chance alone whether a turn is used.
            Some(first) if model.is_free() && rng.bool() => first,
            _ => rng.usize(..model.clients.len()),
        };
        match (rng.u8(..8), &model.clients[index].place) {
            (0 | 1, _) => model.cancel(index),
            (2 | 3, Place::Holding { .. }) => model.repeat(index),
            (_, Place::Holding { .. }) => model.release(index),
            (2 | 3, _) => model.ask(index, false),
            _ => model.ask(index, true),
        }
        model.check_queue();
        steps += 1;
        let someones_turn = model.is_free() && !model.queue().is_empty();
        turn_since = someones_turn.then(|| turn_since.unwrap_or_else(Instant::now));
    }
    steps
}

#[test]
fn random_steps_of_waiters_end_as_the_model_of_the_queue_says() {
    let seed = env::var("GORILLA_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed"));
    println!("GORILLA_TEST_SEED={seed}");
    let asked = ["full", "granted", "held", "queued", "reserved"].map(|name| ("ask", name));
    let ended = ["kept", "marked", "released"].map(|name| ("cancel", name));
    let others = [("release", "released"), ("repeat", "replayed")];
    let all: BTreeSet<_> = asked.into_iter().chain(ended).chain(others).collect();
    let (begun, mut steps, mut seen) = (Instant::now(), 0, BTreeSet::new());
    let mut rng = Rng::with_seed(seed);
    while steps < FEWEST_STEPS || !seen.is_superset(&all) {
        let missing: Vec<_> = all.difference(&seen).collect();
        assert!(begun.elapsed() < LIMIT, "{missing:?} was not seen in {steps} steps");
        let clients = (0..7).map(|index| {
            let (keyed, request, place) = (index % 2 == 0, String::new(), Place::Nowhere);
            Client { keyed, request, place }
        });
        let lab = Lab::on(Redis::shared());
        let mut model = Model { lab, clients: clients.collect(), attempts: 0, seen };
        steps += run(&mut rng, &mut model);
        seen = model.seen;
    }
}

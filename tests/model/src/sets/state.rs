//! The state of sets, their replicas, and two resources in Redis.

use std::collections::BTreeSet;

use crate::{
    redis::{Id, Ms, Redis, Us},
    scripts::Arrived,
};

/// What the search walks through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetsState {
    /// The time of Redis, and of the clients.
    pub tick: Ms,
    /// How often the clock was read since.
    pub micro: Us,
    /// What each resource has in Redis.
    pub resources: [Redis; 2],
    /// The sets, by their numbers.
    pub sets: Vec<Set>,
    /// Acquires that may still be executed, and whose replies nobody waits for.
    pub strays: Vec<Stray>,
    /// What may still happen.
    pub left: Left,
    /// What must not happen, and did.
    pub wrongs: BTreeSet<Wrong>,
}

/// A request for several locks, at its replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Set {
    /// How often it has begun to take its parts.
    pub rounds: u8,
    /// The parts of this round, in the order in which it takes them.
    pub parts: Vec<Part>,
    /// How far it is.
    pub step: Step,
    /// Whether it has waited for a lock.
    pub waited: bool,
}

/// A part of a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Which resource.
    pub resource: usize,
    /// The id of the attempt, and of the grant.
    pub id: Id,
    /// When it joined the queue, if it did.
    pub arrived: Arrived,
    /// Whether a call was sent.
    pub asked: bool,
    /// Whether a reply said that the part is held.
    pub held: bool,
    /// Whether the reply to a call is unknown.
    pub doubted: bool,
    /// What the present step asks of each part: that it is committed, given back, or released by the client.
    pub done: bool,
    /// Whether somebody has broken it.
    pub broken: bool,
}

/// How far a set is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Step {
    /// It was not asked for.
    #[default]
    Idle,
    /// It takes its parts, one after another.
    Taking,
    /// It has had all of its parts, and commits them.
    Committing {
        /// When that began: the client counts its lease from here.
        since: Ms,
        /// Whether all parts were held at once, at the commit of one of them.
        together: bool,
        /// Whether a part was lost.
        lost: bool,
    },
    /// It gives its parts back.
    GivingBack(Then),
    /// Its client was told that it has all the locks.
    Granted {
        /// The client believes that before this time.
        until: Ms,
    },
    /// Its client has an answer, or has gone; and its replica has nothing more to do.
    Over,
    /// Its replica was killed.
    Killed,
}

/// What is done when all parts are given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// It starts over.
    Again,
    /// The client is told that it has none.
    Refused,
    /// Nothing: the client has gone.
    Nothing,
}

/// An acquire that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stray {
    /// Which resource.
    pub resource: usize,
    /// Of the attempt.
    pub id: Id,
    /// When the attempt had joined the queue, as far as it was known when this was sent.
    pub arrived: Arrived,
}

/// How often things may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "The fields are those of `Sets`")]
pub struct Left {
    pub unknowns: u8,
    pub give_ups: u8,
    pub breaks: u8,
    pub crashes: u8,
}

/// What must not happen, where it is seen at the step and not at the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrong {
    /// A set was granted, and its locks were never held all at once.
    NotTogether,
    /// A set was refused, and held one of its locks then.
    KeptAfterRefusal,
}

impl Set {
    /// The part that it takes next, or waits for.
    pub fn next(&self) -> Option<usize> {
        self.parts.iter().position(|part| !part.held)
    }

    /// Whether its client believes to hold a resource.
    pub fn believes(&self, resource: usize, tick: Ms) -> bool {
        let has = |part: &Part| part.resource == resource && !part.done && !part.broken;
        matches!(self.step, Step::Granted { until } if tick < until) && self.parts.iter().any(has)
    }

    /// Which resource it waits for while it has a place in the queue.
    pub fn waits_for(&self) -> Option<usize> {
        let part = &self.parts[self.next().filter(|_| self.step == Step::Taking)?];
        (part.arrived != Arrived::Not).then_some(part.resource)
    }
}

impl SetsState {
    /// Whether a part holds its resource.
    pub fn holds(&self, part: &Part) -> bool {
        self.resources[part.resource].holds(part.id)
    }
}

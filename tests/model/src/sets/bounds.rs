//! What a search of sets covers.

use crate::{
    Mistake,
    redis::{Id, Ms},
};

/// The resources, in ascending order of their names: `a` and `b`.
pub const NAMES: [&str; 2] = ["a", "b"];

/// The bounds of a search of sets: how many take part, and how often each thing may happen.
#[derive(Clone, Copy, Debug)]
pub struct Sets {
    /// The resources that each set wants, in the order of its request. One alone is a set too.
    pub wants: &'static [&'static [usize]],
    /// How often a set may begin to take its parts: once, and once more after each loss of a part.
    pub rounds: u8,
    /// The last tick of the clock.
    pub horizon: Ms,
    /// How long a part is held without being renewed, in ticks.
    pub hold: Ms,
    /// The lease that a commit gives, in ticks.
    pub lease: Ms,
    /// Acquires whose reply is lost, before or after Redis has executed them, and clients that hang up.
    pub unknowns: u8,
    /// Waits that end before their time.
    pub give_ups: u8,
    /// Locks that somebody breaks.
    pub breaks: u8,
    /// Replicas of Gorilla that are killed. Each set is at a replica of its own.
    pub crashes: u8,
    /// The line that is wrong, if one is.
    pub mistake: Option<Mistake>,
}

/// The most parts that a set has here.
const PARTS: u8 = 2;

impl Sets {
    /// The resources of a set in the order in which it takes them.
    pub fn order(&self, set: usize) -> Vec<usize> {
        let mut order = self.wants[set].to_vec();
        if self.mistake != Some(Mistake::SetsInRequestOrder) {
            order.sort_unstable();
        }
        order
    }

    /// The id of the attempt of a part, by the set, the round (from 0) and the place of the part.
    pub fn id(&self, set: usize, round: u8, part: usize) -> Id {
        (set as Id * self.rounds + round) * PARTS + part as Id
    }

    /// The set whose attempt has this id.
    pub fn set_of(&self, id: Id) -> usize {
        usize::from(id / PARTS / self.rounds)
    }
}

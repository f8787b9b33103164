//! How far an acquire of several locks has come.

use gorilla_domain::{Acquired, Failure, Lock, ResourceName};

use crate::store::doubt::Attempt;

/// The parts of a set that this replica has asked for, in ascending order. A part that is dropped before it is over cancels
/// itself, so a client that hangs up leaves none.
#[derive(Default)]
pub struct Parts {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// What the first attempts were granted: all of them, or all but the last.
    pub locks: Vec<Lock>,
}

/// Why a set is not complete.
pub enum Stopped {
    /// A resource refused it.
    Refused(ResourceName, Acquired),
    /// A part ended before the set was complete: it was broken, or Redis lost it, or could not be reached for too long.
    Lost(ResourceName),
    /// A call failed.
    Failed(Failure),
    /// Too few replicas of Redis confirmed the commit. Says how many, or what refused.
    Unconfirmed(String),
}

//! The requests that wait for a lock.

use std::time::Duration;

/// The queue of a resource, first come, first served.
#[derive(Clone, Debug)]
pub struct Line {
    /// How many requests wait.
    pub waiting: u64,
    /// The first of them.
    pub first: Vec<Waiter>,
}

/// A request that waits.
#[derive(Clone, Debug)]
pub struct Waiter {
    /// The label of the client that asks.
    pub owner: String,
    /// How many permits it wants of a shared lock; `None` if it wants the lock alone.
    pub permits: Option<u32>,
    /// How long it has waited.
    pub waited: Duration,
}

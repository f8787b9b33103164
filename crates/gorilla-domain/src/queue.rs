//! The requests that wait for a lock.

use std::time::Duration;

use chrono::{DateTime, Utc};

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
    /// When it came, less its headstart.
    pub since: DateTime<Utc>,
    /// The id of its place: that of its tenure, if it is granted the lock.
    pub id: String,
    /// The name of the replica at which it waits.
    pub replica: String,
}

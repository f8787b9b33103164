//! What a replica counts to tell all others of it, beside what the metrics have.

use prometheus_client::{metrics::histogram::Histogram, registry::Registry};
use std::time::Duration;

use super::hot::Hot;
use crate::spread::Spread;

/// In seconds: how long locks are held.
const HOLDS: [f64; 14] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0];

/// What a replica counts to tell all others of it.
#[derive(Debug)]
pub struct Fleet {
    /// How long acquires waited that had to wait.
    pub wait: Spread,
    /// How long locks were held that their holder released.
    pub hold: Spread,
    /// How long requests took that did not wait for a lock.
    pub latency: Spread,
    /// The locks that are waited for.
    pub hot: Hot,
    holds: Histogram,
}

impl Default for Fleet {
    fn default() -> Self {
        let (wait, hold, latency, hot) = (Spread::default(), Spread::default(), Spread::default(), Hot::default());
        Self { wait, hold, latency, hot, holds: Histogram::new(HOLDS) }
    }
}

impl Fleet {
    /// A request has waited for a lock, and this ended with the lock or without it.
    pub fn waited(&self, resource: &str, granted: bool, took: Duration) {
        self.wait.add(took);
        self.hot.waited(resource, granted, took);
    }

    /// A holder has released its lock, which it held for so long.
    pub fn held(&self, resource: &str, took: Duration) {
        self.hold.add(took);
        self.holds.observe(took.as_secs_f64());
        self.hot.held(resource, took);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "How long locks were held that their holder released, in seconds";
        registry.register("gorilla_hold_duration_seconds", help, self.holds.clone());
    }
}

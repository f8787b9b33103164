//! What is asked of Redis.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gorilla_scripts::Scripts;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::table::Table;

/// In seconds.
const ROUND_TRIPS: [f64; 12] = [0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.05, 0.1, 0.4, 1.6];
const BATCHES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// How a cancellation ended.
#[derive(Clone, Copy, Debug)]
pub enum Cancelled {
    /// The acquire had the lock, which is free again.
    Released,
    /// The acquire had nothing.
    Marked,
    /// A copy of the request relies on the lock.
    Kept,
    /// It was given up.
    GivenUp,
}

/// What is asked of Redis.
#[derive(Debug)]
pub struct Redis {
    scripts: Table<Histogram>,
    batches: Histogram,
    cancellations: Table<Counter>,
    /// Connections that took the place of another.
    pub reconnects: Counter,
    clock_offset: Gauge<f64, AtomicU64>,
}

impl Default for Redis {
    fn default() -> Self {
        let scripts = Scripts::NAMES.map(|name| vec![("script", name)]);
        let cancelled = ["released", "marked", "kept", "given_up"].map(|outcome| vec![("outcome", outcome)]);
        Self {
            scripts: Table::new(scripts, || Histogram::new(ROUND_TRIPS)),
            batches: Histogram::new(BATCHES),
            cancellations: Table::new(cancelled, Counter::default),
            reconnects: Counter::default(),
            clock_offset: Gauge::default(),
        }
    }
}

impl Redis {
    /// A script has run for so many requests at once, in this time.
    pub fn ran(&self, script: usize, requests: usize, took: Duration) {
        if let Some(round_trips) = self.scripts.get(script) {
            round_trips.observe(took.as_secs_f64());
        }
        self.batches.observe(requests as f64);
    }

    /// A cancellation has ended.
    pub fn cancelled(&self, how: Cancelled) {
        if let Some(count) = self.cancellations.get(how as usize) {
            count.inc();
        }
    }

    /// The clock of Redis said this just now, in milliseconds since 1970.
    pub fn saw_clock(&self, theirs: i64) {
        let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        self.clock_offset.set((theirs - ours) as f64 / 1000.0);
    }

    /// How long ago it was, by the clock of Redis, that this clock said this (ms since 1970).
    pub fn since(&self, theirs: i64) -> Duration {
        let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        let now = ours.saturating_add((self.clock_offset.get() * 1000.0) as i64);
        Duration::from_millis(now.saturating_sub(theirs).try_into().unwrap_or_default())
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time from sending a script to Redis until its reply, in seconds";
        registry.register("gorilla_redis_script_duration_seconds", help, self.scripts.clone());
        registry.register("gorilla_redis_batch_size", "Requests in one command to Redis", self.batches.clone());
        let help = "Connections to Redis that were opened after the first";
        registry.register("gorilla_redis_reconnects", help, self.reconnects.clone());
        let help = "The clock of Redis less the clock of this machine at the last grant, in seconds";
        registry.register("gorilla_redis_clock_offset_seconds", help, self.clock_offset.clone());
        let help = "Acquires that were undone because no client learnt their outcome";
        registry.register("gorilla_cancellations", help, self.cancellations.clone());
    }
}

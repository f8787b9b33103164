//! What one identity uses at this replica.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use governor::{DefaultDirectRateLimiter, Quota as Cells, RateLimiter};

use super::role::Rate;

/// Counts what an identity uses.
#[derive(Debug)]
pub struct Meter {
    /// Counts its requests, if only so many may come.
    pub rate: Option<(Rate, DefaultDirectRateLimiter)>,
    /// How many of its requests wait.
    pub waiting: Arc<AtomicU32>,
}

/// The meter of an identity from when it was first needed, so that a request need not look it up by name. Says nothing
/// about who the identity is, so all are equal.
#[derive(Clone, Debug, Default)]
pub struct OwnMeter(pub OnceLock<Arc<Meter>>);

impl Meter {
    /// A meter for this rate, among whose requests these wait.
    pub fn new(rate: Option<Rate>, waiting: Arc<AtomicU32>) -> Self {
        let limiter = |rate: Rate| RateLimiter::direct(Cells::per_second(rate.per_second).allow_burst(rate.burst));
        Self { rate: rate.map(|rate| (rate, limiter(rate))), waiting }
    }

    /// The rate that it was made for.
    pub fn made_for(&self) -> Option<Rate> {
        self.rate.as_ref().map(|(rate, _)| *rate)
    }

    /// Counts one more request that waits, unless so many wait already.
    pub fn wait(&self, most: u32) -> bool {
        let one_more = |now: u32| (now < most).then_some(now + 1);
        self.waiting.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }
}

impl PartialEq for OwnMeter {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for OwnMeter {}

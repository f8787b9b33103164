//! How much each identity uses at this replica, against the quota of its role.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota as Cells, RateLimiter, clock::Clock};

use super::{identity::Identity, role::Rate};

/// What the identities with a quota use. It outlives the generations of the access file.
#[derive(Default)]
pub struct Usages {
    by_name: Mutex<HashMap<String, Arc<Usage>>>,
}

/// What an identity uses.
struct Usage {
    rate: Option<(Rate, DefaultDirectRateLimiter)>,
    waiting: Arc<AtomicU32>,
}

/// The limit that an identity has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It asks too often.
    Rate {
        /// What it may.
        rate: Rate,
        /// When it may ask again.
        left: Duration,
    },
    /// As many of its requests wait as may.
    Waiters(u32),
    /// It holds as many locks as it may.
    Held(u32),
}

/// A request of an identity that waits, until it is dropped.
pub struct Waiting(Arc<AtomicU32>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Usages {
    /// Counts a request of an identity, unless it asks too often.
    pub fn ask(&self, identity: &Identity) -> Result<(), Reached> {
        let Some(rate) = identity.role.quota.rate else { return Ok(()) };
        let usage = self.of(identity);
        let Some((_, limiter)) = &usage.rate else { return Ok(()) };
        limiter.check().map_err(|not_until| {
            let left = not_until.wait_time_from(limiter.clock().now());
            Reached::Rate { rate, left }
        })
    }

    /// Counts a request of an identity as one that waits, unless as many wait as may.
    pub fn wait(&self, identity: &Identity) -> Result<Option<Waiting>, Reached> {
        let Some(most) = identity.role.quota.max_waiters else { return Ok(None) };
        let waiting = Arc::clone(&self.of(identity).waiting);
        let one_more = |now: u32| (now < most.get()).then_some(now + 1);
        match waiting.fetch_update(Relaxed, Relaxed, one_more) {
            Ok(_) => Ok(Some(Waiting(waiting))),
            Err(_) => Err(Reached::Waiters(most.get())),
        }
    }

    /// What an identity uses. If its rate has changed, it counts anew.
    fn of(&self, identity: &Identity) -> Arc<Usage> {
        let rate = identity.role.quota.rate;
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let known = by_name.get(&identity.name);
        if let Some(usage) = known.filter(|usage| usage.rate.as_ref().map(|(rate, _)| *rate) == rate) {
            return Arc::clone(usage);
        }
        let waiting = known.map(|usage| Arc::clone(&usage.waiting)).unwrap_or_default();
        let limiter = |rate: Rate| RateLimiter::direct(Cells::per_second(rate.per_second).allow_burst(rate.burst));
        let usage = Arc::new(Usage { rate: rate.map(|rate| (rate, limiter(rate))), waiting });
        by_name.insert(identity.name.clone(), Arc::clone(&usage));
        usage
    }
}

impl Reached {
    /// The name of the limit in the access file.
    pub fn quota(self) -> &'static str {
        match self {
            Self::Rate { .. } => "per_second",
            Self::Waiters(_) => "max_waiters",
            Self::Held(_) => "max_held",
        }
    }

    /// When it is worth to ask again, as far as that is known.
    pub fn left(self) -> Duration {
        match self {
            Self::Rate { left, .. } => left,
            Self::Waiters(_) | Self::Held(_) => Duration::from_secs(1),
        }
    }
}

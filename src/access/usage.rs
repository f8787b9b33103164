//! How much each identity uses at this replica, against the quota of its role.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use governor::clock::Clock;

use super::{identity::Identity, meter::Meter, role::Rate};

/// What the identities with a quota use. It outlives the generations of the access file.
#[derive(Default)]
pub struct Usages {
    by_name: Mutex<HashMap<String, Arc<Meter>>>,
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
        let Some((_, limiter)) = &self.of(identity).rate else { return Ok(()) };
        limiter.check().map_err(|not_until| {
            let left = not_until.wait_time_from(limiter.clock().now());
            Reached::Rate { rate, left }
        })
    }

    /// Counts a request of an identity as one that waits, unless as many wait as may.
    pub fn wait(&self, identity: &Identity) -> Result<Option<Waiting>, Reached> {
        let Some(most) = identity.role.quota.max_waiters else { return Ok(None) };
        let meter = self.of(identity);
        match meter.wait(most.get()) {
            true => Ok(Some(Waiting(Arc::clone(&meter.waiting)))),
            false => Err(Reached::Waiters(most.get())),
        }
    }

    /// What an identity uses.
    fn of<'a>(&self, identity: &'a Identity) -> &'a Meter {
        identity.meter.0.get_or_init(|| self.look_up(identity))
    }

    /// What an identity of this name uses, in whatever generation. If its rate has changed, it counts anew.
    fn look_up(&self, identity: &Identity) -> Arc<Meter> {
        let rate = identity.role.quota.rate;
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let known = by_name.get(&identity.name);
        if let Some(meter) = known.filter(|meter| meter.made_for() == rate) {
            return Arc::clone(meter);
        }
        let waiting = known.map(|meter| Arc::clone(&meter.waiting)).unwrap_or_default();
        let meter = Arc::new(Meter::new(rate, waiting));
        by_name.insert(identity.name.clone(), Arc::clone(&meter));
        meter
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Key};

    #[test]
    fn what_an_identity_uses_is_counted_on_in_the_next_generation_and_anew_with_another_rate() {
        let (one, other) = (Key::generate().expect("random digits"), Key::generate().expect("random digits"));
        let identities = |generation, per_second: u32| {
            let hashes = format!("hashes = [\"{}\", \"{}\"]", one.digest(), other.digest());
            let quota = format!("quota = {{ per_second = {per_second}, burst = 1, max_waiters = 1 }}");
            let role = format!("[[role]]\nname = \"r\"\nrules = []\n{quota}\n");
            let text = format!("{role}[[key]]\nname = \"k\"\nrole = \"r\"\n{hashes}\n");
            let access = Access::parse(&text).expect("valid").0.numbered(generation);
            [&one, &other].map(|key| access.identify(key.as_str(), std::time::SystemTime::now()).expect("known"))
        };
        let (usages, rare, again, often) = (Usages::default(), identities(1, 1), identities(2, 1), identities(3, 1000));
        // Two keys of one identity count together.
        for identity in [&rare[1], &again[0], &again[1]] {
            assert!(std::ptr::eq(usages.of(&rare[0]), usages.of(identity)));
        }
        assert!(!std::ptr::eq(usages.of(&rare[0]), usages.of(&often[0])));
        assert!(std::ptr::eq(usages.of(&often[0]), usages.of(&often[1])));
        assert_eq!((usages.ask(&rare[0]), usages.ask(&often[0])), (Ok(()), Ok(())));
        let waiting = usages.wait(&rare[0]);
        assert!(waiting.is_ok_and(|waiting| {
            let others = [&rare[1], &again[0], &often[0]];
            waiting.is_some() && others.into_iter().all(|other| matches!(usages.wait(other), Err(Reached::Waiters(1))))
        }));
        assert!(usages.wait(&often[0]).is_ok());
    }
}

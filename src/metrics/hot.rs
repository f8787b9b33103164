//! The locks that are waited for at this replica, for what the replica tells of itself.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::spread::Counts;

/// How many locks are known at once. A further lock is left out until one of them is forgotten. There are so many only if
/// hundreds of locks are waited for at one replica within a minute, and what a replica tells has the 40 hottest. So no
/// cleverer way to find these is needed: see docs/internals/fleet-data.md.
const MOST: usize = 1024;
/// After so many looks without a wait a lock is forgotten.
const PATIENCE: u8 = 12;

/// Counts the waits for each lock that is waited for, and how long it is held.
#[derive(Debug, Default)]
pub struct Hot(Mutex<HashMap<String, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    /// Looks since the last wait.
    quiet: u8,
    seen: Contended,
}

/// What was seen of a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contended {
    /// Waits that ended.
    pub waits: u64,
    /// Those of them that ended with the lock.
    pub granted: u64,
    /// How long they took together, in milliseconds.
    pub waited_ms: u64,
    /// How long they took.
    pub wait: Counts,
    /// How long the lock was held.
    pub hold: Counts,
}

impl Contended {
    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.waits = self.waits.saturating_add(other.waits);
        self.granted = self.granted.saturating_add(other.granted);
        self.waited_ms = self.waited_ms.saturating_add(other.waited_ms);
        self.wait.merge(&other.wait);
        self.hold.merge(&other.hold);
    }
}

impl Hot {
    /// A wait for a lock has ended.
    pub fn waited(&self, resource: &str, granted: bool, took: Duration) {
        let mut all = self.all();
        if all.len() >= MOST && !all.contains_key(resource) {
            return;
        }
        let entry = all.entry(resource.into()).or_default();
        entry.quiet = 0;
        let seen = &mut entry.seen;
        seen.waits += 1;
        seen.granted += u64::from(granted);
        seen.waited_ms += took.as_millis() as u64;
        seen.wait.add(took);
    }

    /// A lock was held for so long. Counts only if it was waited for lately.
    pub fn held(&self, resource: &str, took: Duration) {
        if let Some(entry) = self.all().get_mut(resource) {
            entry.seen.hold.add(took);
        }
    }

    /// What was seen since the last look.
    pub fn look(&self) -> Vec<(String, Contended)> {
        let mut all = self.all();
        let mut seen = Vec::new();
        all.retain(|resource, entry| {
            let now = std::mem::take(&mut entry.seen);
            if now != Contended::default() {
                seen.push((resource.clone(), now));
            }
            entry.quiet += 1;
            entry.quiet < PATIENCE
        });
        seen
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_locks_that_are_waited_for_are_known_and_they_are_forgotten_after_a_while() {
        let hot = Hot::default();
        hot.held("a", SECOND);
        assert_eq!(hot.look(), []);
        hot.waited("a", true, SECOND);
        hot.held("a", 2 * SECOND);
        let seen = hot.look();
        let [(name, seen)] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((name.as_str(), seen.waits, seen.granted, seen.waited_ms), ("a", 1, 1, 1000));
        assert_eq!((seen.wait.count(), seen.hold.count()), (1, 1));
        for _ in 0..PATIENCE {
            hot.look();
        }
        hot.held("a", SECOND);
        assert_eq!(hot.look(), []);
    }

    #[test]
    fn no_more_than_so_many_are_known() {
        let hot = Hot::default();
        (0..=MOST).for_each(|number| hot.waited(&number.to_string(), false, SECOND));
        hot.waited("0", false, SECOND);
        let seen = hot.look();
        assert_eq!(seen.len(), MOST);
        assert_eq!(seen.iter().find(|(name, _)| name == "0").map(|(_, seen)| seen.waits), Some(2));
    }
}

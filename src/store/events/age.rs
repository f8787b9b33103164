//! How old entries may become in a Cluster, where each slot has its stream: no single stream shows how many entries there
//! are in all.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Entries that a Cluster keeps in all, about.
const MOST_ENTRIES: u64 = 100_000;
/// How old entries may become where events are recorded only while somebody listens.
pub const OLDEST: Duration = Duration::from_secs(10 * 60);

/// How old entries may become, in milliseconds: less where there are too many.
pub struct EntriesAge(AtomicU64);

impl Default for EntriesAge {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl EntriesAge {
    /// The age, at most the given one.
    pub fn within(&self, most: Duration) -> u64 {
        self.0.load(Relaxed).min(most.as_millis() as u64)
    }

    /// There were so many entries although none should be older than this.
    pub fn saw(&self, entries: u64, age: u64) {
        let next = match entries > MOST_ENTRIES {
            true => age.saturating_mul(MOST_ENTRIES) / entries,
            // Entries that are dropped by age leave room for more.
            false => age.saturating_mul(2),
        };
        self.0.store(next.max(1), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_shrinks_with_too_many_entries_and_grows_again_up_to_the_most() {
        let age = EntriesAge::default();
        assert_eq!(age.within(OLDEST), 600_000);
        age.saw(4 * MOST_ENTRIES, 600_000);
        assert_eq!(age.within(OLDEST), 150_000);
        age.saw(MOST_ENTRIES / 2, 150_000);
        assert_eq!(age.within(OLDEST), 300_000);
        age.saw(10, 300_000);
        age.saw(10, 600_000);
        assert_eq!(age.within(OLDEST), 600_000);
    }
}

//! Counts listeners.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Listeners that a replica has at once, at most.
pub const MOST_LISTENERS: usize = 1_000;

/// Counts a listener until it is dropped.
pub struct Place(Arc<AtomicUsize>);

impl Place {
    /// One more, if there may be one.
    pub fn take(listeners: &Arc<AtomicUsize>) -> Option<Self> {
        let before = listeners.fetch_add(1, Relaxed);
        let place = Self(Arc::clone(listeners));
        (before < MOST_LISTENERS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

//! The queues in which this replica has woken a waiter lately.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The queues in which this replica has lately woken a waiter, by the keys of their locks. The value is true if it has
/// woken another waiter there since.
#[derive(Default)]
pub struct WatchedQueues(Mutex<HashMap<String, bool>>);

impl WatchedQueues {
    /// The queues.
    pub fn queues(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Sees to it that a waiter that was woken claims the lock: `lua/wake.lua`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::debug;

use gorilla_scripts::Wake;

use super::Store;
use crate::lock::Failure;

/// How long a turn lasts, as in `lua/lib/turn.lua`.
const TURN: Duration = Duration::from_secs(1);
/// Attempts to reach Redis, one a turn. Then the waiters themselves have noticed.
const ATTEMPTS: u32 = 60;

/// The queues, by the keys of their locks, in which this replica has woken somebody lately; and whether once more meanwhile.
#[derive(Default)]
pub struct Beat(Mutex<HashMap<String, bool>>);

impl Beat {
    fn queues(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// A waiter was woken and has the turn for `turn` ms. When it is over, the next one gets it. One task a queue does,
    /// however often the lock changes hands.
    pub(super) fn police(self: &Arc<Self>, lock: &str, turn: Option<u64>) {
        let Some(turn) = turn else { return };
        if let Some(again) = self.beat.queues().get_mut(lock) {
            *again = true;
            return;
        }
        self.beat.queues().insert(lock.into(), false);
        let (store, lock) = (Arc::clone(self), lock.to_string());
        tokio::spawn(async move { store.walk(&lock, Duration::from_millis(turn)).await });
    }

    async fn walk(&self, lock: &str, mut turn: Duration) {
        let mut failures = 0;
        loop {
            tokio::time::sleep(turn).await;
            turn = match self.wake_next(lock).await {
                Ok(turn) => turn,
                Err(failure) => {
                    debug!(?failure, "could not see to a queue");
                    failures += 1;
                    if failures < ATTEMPTS { TURN } else { Duration::ZERO }
                }
            };
            if turn.is_zero() {
                let mut queues = self.beat.queues();
                if queues.insert(lock.into(), false) == Some(false) {
                    queues.remove(lock);
                    return;
                }
                turn = TURN;
            }
        }
    }

    async fn wake_next(&self, lock: &str) -> Result<Duration, Failure> {
        Ok(Duration::from_millis(self.run_uncounted(lock, &Wake {}).await?.unwrap_or_default()))
    }
}

//! Sees to it that a waiter that was woken claims the lock: `lua/wake.lua`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::debug;

use super::{
    Store,
    keys::QueueKeys,
    reply::{Reply, unexpected},
};
use crate::lock::Failure;

/// How long a turn lasts, as in `lua/shared.lua`.
const TURN: Duration = Duration::from_secs(1);
/// Attempts to reach Redis, one a turn. Then the waiters themselves have noticed.
const ATTEMPTS: u32 = 60;

/// The queues, by their keys, in which this replica has woken somebody lately; and whether once more meanwhile.
#[derive(Default)]
pub struct Beat(Mutex<HashMap<String, bool>>);

impl Beat {
    fn queues(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Somebody was woken and has the turn for `turn` ms; 0 for nobody. When it is over, the next one gets it. One task
    /// a queue does, however often the lock changes hands.
    pub(super) fn police(self: &Arc<Self>, keys: QueueKeys, turn: u64) {
        if turn == 0 {
            return;
        }
        if let Some(again) = self.beat.queues().get_mut(&keys.queue) {
            *again = true;
            return;
        }
        self.beat.queues().insert(keys.queue.clone(), false);
        let store = Arc::clone(self);
        tokio::spawn(async move { store.walk(&keys, Duration::from_millis(turn)).await });
    }

    async fn walk(&self, keys: &QueueKeys, mut turn: Duration) {
        let mut failures = 0;
        loop {
            tokio::time::sleep(turn).await;
            turn = match self.wake_next(keys).await {
                Ok(turn) => turn,
                Err(failure) => {
                    debug!(?failure, "could not see to a queue");
                    failures += 1;
                    if failures < ATTEMPTS { TURN } else { Duration::ZERO }
                }
            };
            if turn.is_zero() {
                let mut queues = self.beat.queues();
                if queues.insert(keys.queue.clone(), false) == Some(false) {
                    queues.remove(&keys.queue);
                    return;
                }
                turn = TURN;
            }
        }
    }

    async fn wake_next(&self, keys: &QueueKeys) -> Result<Duration, Failure> {
        let keys = [keys.lock.as_str(), &keys.queue, &keys.turn];
        let (outcome, mut reply) = Reply::open(self.link.call_uncounted(&self.scripts.wake, &keys, &[]).await?)?;
        match outcome.as_str() {
            "woken" => Ok(Duration::from_millis(reply.number()?)),
            other => Err(unexpected(other)),
        }
    }
}

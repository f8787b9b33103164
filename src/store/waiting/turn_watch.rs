//! Moves the queue on when a woken waiter doesn't claim the lock in time: `lua/wake.lua`.

use std::{sync::Arc, time::Duration};

use gorilla_scripts::Wake;
use tracing::debug;

use crate::store::{base::Store, error::Error};

/// How long a turn lasts, as in `lua/lib/turn.lua`.
const TURN: Duration = Duration::from_secs(1);
/// Added to the end of a lease, so that the key has expired when the replica looks.
const MARGIN: Duration = Duration::from_millis(1);
/// Attempts to reach Redis, one for each turn. After so many failures the waiters have noticed by themselves.
const ATTEMPTS: u32 = 60;

impl Store {
    /// A waiter was woken and has the turn for `turn` ms. Gives the turn to the next waiter when that time is over. One
    /// task for a queue is enough, however often the lock changes hands.
    pub(in crate::store) fn watch_turn(self: &Arc<Self>, lock: &str, turn: Option<u64>) {
        let Some(turn) = turn else { return };
        if let Some(again) = self.watched.queues().get_mut(lock) {
            *again = true;
            return;
        }
        self.watched.queues().insert(lock.into(), false);
        let (store, lock) = (Arc::clone(self), lock.to_string());
        tokio::spawn(async move { store.end_turns(&lock, Duration::from_millis(turn)).await });
    }

    /// The lease of the current grant ends in `left` ms, which is sooner than the waiters may know. Gives the turn to the
    /// first waiter when that time is over, in case none of them claims the lock.
    pub(in crate::store) fn watch_end(self: &Arc<Self>, lock: &str, left: Option<u64>) {
        let Some(left) = left else { return };
        let (store, lock) = (Arc::clone(self), lock.to_string());
        // A task of its own, because a turn may begin and pass meanwhile.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(left) + MARGIN).await;
            store.watch_turn(&lock, Some(0));
        });
    }

    async fn end_turns(&self, lock: &str, mut turn: Duration) {
        let mut failures = 0;
        loop {
            tokio::time::sleep(turn).await;
            turn = match self.wake_next(lock).await {
                Ok(turn) => turn,
                Err(error) => {
                    debug!(?error, "could not look whether a woken waiter has claimed its lock");
                    failures += 1;
                    if failures < ATTEMPTS { TURN } else { Duration::ZERO }
                }
            };
            if turn.is_zero() {
                let mut queues = self.watched.queues();
                if queues.insert(lock.into(), false) == Some(false) {
                    queues.remove(lock);
                    return;
                }
                turn = TURN;
            }
        }
    }

    async fn wake_next(&self, lock: &str) -> Result<Duration, Error> {
        Ok(Duration::from_millis(self.run_uncounted(lock, &Wake {}).await?.unwrap_or_default()))
    }
}

//! Acquires a lock, and waits for it: `lua/try.lua`, and `lua/claim.lua` for a waiter that asks again.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Acquire, Acquired, Failure, event::UndoneCause};
use gorilla_scripts::CancelReply;
use tokio::time::Instant;
use tracing::warn;

use super::ask::{Ask, Progress};
use crate::store::{base::Store, bid::Bid, doubt::Attempt, durability::Effect};

/// Between two attempts to undo what a lost call may have done.
const UNDO_AGAIN: Duration = Duration::from_millis(50);

impl Store {
    /// Takes a lock if it is free, or waits for it. If nobody learns the outcome (Redis did not reply, or the caller
    /// was dropped while it waited), a task in the background gives the place in the queue or the lock back.
    pub async fn acquire(self: &Arc<Self>, asked: &Arc<Acquire>) -> Result<Acquired, Failure> {
        let mut attempt = self.begin(asked);
        // The failure of a lost call, if a waiter without an Idempotency-Key lost one.
        let mut lost = None;
        let answer = if asked.wait.is_zero() {
            self.ask_at_once(&attempt).await
        } else {
            let (deadline, mut came) = (Instant::now() + asked.wait, None);
            loop {
                match self.wait_as(&attempt, deadline, &mut came).await {
                    // Without a record nobody can tell later what came of the call: Redis may have granted the lock,
                    // and that grant may be over. If the attempt asked again, it could be granted the lock a second
                    // time. So Gorilla undoes the attempt, and another attempt goes on at the same place.
                    Err(failure @ Failure::Unknown(_))
                        // Boxed, so that no waiter keeps room for it.
                        if asked.once.is_none() && Box::pin(self.is_undone(&attempt, UndoneCause::UnknownOutcome, deadline)).await =>
                    {
                        lost = Some(failure);
                        attempt.over();
                        attempt = self.begin(asked);
                    }
                    answer => break answer,
                }
            }
        };
        let answer = match answer {
            // Boxed, so that a request that waits keeps no room for it.
            Ok(acquired) if self.replicas_wanted > 0 => Box::pin(self.confirmed_or_undone(&attempt, acquired)).await,
            answer => answer,
        };
        attempt.answered(&answer);
        // Redis may have granted the lock to the lost call, and that grant may be over. Only the record could tell,
        // while Redis kept it.
        match (answer, lost) {
            (Ok(acquired), _) if acquired.is_grant() => Ok(acquired),
            (_, Some(lost)) => Err(lost),
            (Ok(_), None) if attempt.doubt_outlasts(self.window) => {
                Err(Failure::Unknown("a call of the waiter was lost, and its record has lapsed".into()))
            }
            (answer, None) => answer,
        }
    }

    pub(super) fn begin(self: &Arc<Self>, asked: &Arc<Acquire>) -> Attempt {
        Attempt::begin(self, self.keys.lock(&asked.resource), Bid::new(asked, &self.keys))
    }

    /// Undoes an attempt. Says whether Redis confirmed that before the deadline.
    pub(super) async fn is_undone(&self, attempt: &Attempt, cause: UndoneCause, deadline: Instant) -> bool {
        loop {
            match attempt.undo(cause).await {
                Ok(_) => return true,
                Err(Failure::Broken(_)) => return false,
                Err(_) if self.waiters.is_dismissed() || deadline <= Instant::now() => return false,
                Err(_) => tokio::time::sleep(UNDO_AGAIN).await,
            }
        }
    }

    /// Gives a grant back if too few replicas of Redis confirm it, because the next failover could lose it.
    async fn confirmed_or_undone(&self, attempt: &Attempt, acquired: Acquired) -> Result<Acquired, Failure> {
        let (Acquired::Granted(lock) | Acquired::Replayed(lock)) = &acquired else { return Ok(acquired) };
        let Err(unconfirmed) = self.confirmed(&attempt.lock, Effect::Granted(lock)).await else {
            return Ok(acquired);
        };
        let Failure::Unknown(why) = &unconfirmed else { return Err(unconfirmed) };
        let undone = match attempt.undo(UndoneCause::NotReplicated).await {
            Ok(CancelReply::Released { .. }) => true,
            // The grant had ended by itself. Redis answers the same for a replayed grant that a copy relies on.
            Ok(CancelReply::Marked { .. }) => lock.tenure.id == attempt.bid.id,
            Ok(CancelReply::Kept { .. }) | Err(_) => false,
        };
        if !undone {
            return Err(unconfirmed);
        }
        warn!(id = lock.tenure.id, why, "replicas of Redis did not confirm a grant, and it was undone");
        Err(Failure::NotReplicated)
    }

    pub(super) async fn ask_at_once(self: &Arc<Self>, attempt: &Attempt) -> Result<Acquired, Failure> {
        // Boxed, so that no waiter keeps room for it.
        match Box::pin(self.ask(attempt, Duration::ZERO, Ask::Try)).await? {
            Progress::Done(outcome) => Ok(outcome),
            Progress::Queued { .. } | Progress::Superseded => {
                Err(Failure::Broken("a script queued a request that does not wait".into()))
            }
        }
    }
}

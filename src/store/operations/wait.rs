//! A request that waits: it asks Redis when there is reason to, until it is granted the lock or its time is over.

use std::time::Duration;

use gorilla_domain::{Acquire, Acquired, Failure, Token};
use gorilla_scripts::Sibling;
use tokio::time::Instant;

use super::ask::{Ask, Progress};
use crate::store::{base::Store, doubt::Attempt};

impl Store {
    /// Waits for the lock as this attempt. `came` says when the request joined the queue, with this attempt or with an
    /// earlier attempt.
    pub(super) async fn wait_as(
        &self,
        attempt: &Attempt,
        asked: &Acquire,
        deadline: Instant,
        came: &mut Option<u64>,
    ) -> Result<Acquired, Failure> {
        let token = Token::random();
        let queue = Sibling::Queue.key(&attempt.lock);
        let mut place = self.waiters.enter(&queue, &attempt.id);
        // The failure of a call that may have queued the attempt or taken the lock, until a later call shows which.
        let mut in_doubt = None;
        loop {
            // A client with an Idempotency-Key comes back for its place, here or at another replica. So the place
            // stays, and no waiter passes it before a turn has passed without a claim.
            if self.waiters.is_dismissed() && asked.once.is_some() && place.arrived.is_some() {
                return Ok(Acquired::Dismissed);
            }
            let left = match self.waiters.is_dismissed() {
                false => deadline.saturating_duration_since(Instant::now()),
                true => Duration::ZERO,
            };
            let last = left.as_millis() == 0;
            let ask = match place.arrived.or(*came) {
                None if in_doubt.is_none() => Ask::Try,
                arrived => Ask::Claim(arrived),
            };
            // Boxed, so that a request that waits keeps no room for it.
            match Box::pin(self.ask(attempt, asked, &token, left, ask)).await {
                Ok(Progress::Done(Acquired::Blocked(_))) if self.waiters.is_dismissed() => {
                    return Ok(Acquired::Dismissed);
                }
                Ok(Progress::Done(outcome)) => {
                    if let Acquired::Granted(lock) = &outcome {
                        place.granted(lock.tenure.fence, lock.tenure.ttl);
                    }
                    return Ok(outcome);
                }
                Ok(Progress::Queued { arrived, fence, look_in }) => {
                    attempt.queued();
                    (in_doubt, *came) = (None, Some(arrived));
                    place.queued(arrived, fence, look_in);
                }
                Ok(Progress::Superseded) => {
                    in_doubt = None;
                    place.superseded();
                }
                Err(failure @ Failure::Broken(_)) => return Err(failure),
                // No record says what came of the call, or the record may have lapsed by now. The caller of this
                // function decides.
                Err(failure @ Failure::Unknown(_)) if asked.once.is_none() || attempt.doubt_outlasts(self.window) => {
                    return Err(failure);
                }
                Err(failure) => {
                    let unknown = |failure: &Failure| matches!(failure, Failure::Unknown(_));
                    // What came of an earlier call stays unknown if Redis did not execute this call.
                    let failure = in_doubt.take().unwrap_or(failure);
                    // If Redis may know the attempt, asking again is safe, and Redis may be back before the time is
                    // over. Otherwise the client is told at once, and may ask another replica.
                    if last || place.arrived.is_none() && !unknown(&failure) {
                        return Err(failure);
                    }
                    in_doubt = Some(failure).filter(unknown);
                    if in_doubt.is_some() {
                        attempt.call_lost();
                    }
                    place.retry_later();
                }
            }
            place.called(deadline).await;
        }
    }
}

//! A request that waits: it asks Redis when there is reason to, until it is granted the lock or its time is over.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Acquired, Failure};
use gorilla_scripts::Sibling;
use tokio::time::Instant;

use super::ask::{Ask, Progress};
use crate::store::{
    base::Store,
    doubt::Attempt,
    waiting::{NextClaim, Told},
};

impl Store {
    /// Waits for the lock as this attempt. `came` says when the request joined the queue, with this attempt or with an
    /// earlier attempt. If the request had to queue, the lock tells how long it waited: from when it was taken in until
    /// the claim was sent that Redis granted. The lease begins after that.
    pub(super) async fn wait_as(
        self: &Arc<Self>,
        attempt: &Attempt,
        deadline: Instant,
        came: &mut Option<u64>,
    ) -> Result<Acquired, Failure> {
        let (bid, once) = (&attempt.bid, attempt.bid.asked.once.as_ref());
        let queue = Sibling::Queue.key(&attempt.lock);
        let mut place = self.waiters.enter(&queue, &bid.id, bid.share.is_none());
        // The failure of a call that may have queued the attempt or taken the lock, until a later call tells.
        let mut in_doubt = None;
        // What the attempt asks next, once it is in the queue, and what became of it if a release took it along.
        let (mut next, mut told): (Option<NextClaim>, Told) = (None, None);
        let mut has_queued = came.is_some();
        loop {
            let is_dismissed = self.waiters.is_dismissed();
            // A client with an Idempotency-Key comes back for its place, here or at another replica. So the place
            // stays, and no waiter passes it before a turn has passed without a claim.
            if told.is_none() && is_dismissed && once.is_some() && place.arrived.is_some() {
                return Ok(Acquired::Dismissed);
            }
            let left = match is_dismissed {
                false => deadline.saturating_duration_since(Instant::now()),
                true => Duration::ZERO,
            };
            let last = told.is_none() && left.as_millis() == 0;
            let ask = match place.arrived.or(*came) {
                None if in_doubt.is_none() => Ask::Try,
                arrived => Ask::Claim(arrived),
            };
            let progress = match told.take() {
                Some(reply) => {
                    let reply = reply.map_err(Failure::from);
                    reply.and_then(|reply| self.progress(bid, reply))
                }
                // Boxed, so that no waiter keeps room for it.
                None => {
                    place.asked = Instant::now();
                    Box::pin(self.ask(attempt, left, ask)).await
                }
            };
            match progress {
                Ok(Progress::Done(Acquired::Blocked(_))) if self.waiters.is_dismissed() => {
                    return Ok(Acquired::Dismissed);
                }
                Ok(Progress::Done(mut outcome)) => {
                    if let Acquired::Granted(lock) = &outcome {
                        match lock.part {
                            None => place.granted(lock.tenure.fence, lock.tenure.ttl),
                            Some(part) => place.joined(part.floor, lock.tenure.ttl),
                        }
                    }
                    if let Acquired::Granted(lock) | Acquired::Replayed(lock) = &mut outcome
                        && has_queued
                    {
                        let left = deadline.saturating_duration_since(place.asked);
                        lock.waited = Some(bid.asked.wait.saturating_sub(left));
                    }
                    return Ok(outcome);
                }
                Ok(Progress::Queued { arrived, fence, look_in }) => {
                    attempt.queued();
                    has_queued = true;
                    (in_doubt, *came) = (None, Some(arrived));
                    place.queued(arrived, fence, look_in);
                    next = Some(NextClaim { bid: Arc::clone(bid), arrived, deadline });
                }
                Ok(Progress::Superseded) => {
                    (in_doubt, next) = (None, None);
                    has_queued = true;
                    place.superseded();
                }
                Err(failure @ Failure::Broken(_)) => return Err(failure),
                // No record says what came of the call, or the record may have lapsed by now. The caller of this
                // function decides.
                Err(failure @ Failure::Unknown(_)) if once.is_none() || attempt.doubt_outlasts(self.window) => {
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
            told = place.called(deadline, next.as_ref()).await;
        }
    }
}

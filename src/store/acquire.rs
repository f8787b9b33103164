//! Acquire, and wait for it: `lua/try.lua`, and for a waiter that asks again `lua/claim.lua`.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use gorilla_scripts::{AcquireReply, CancelReply, Claim, Sibling, Try};

use super::{Store, cancel::Attempt, confirm::Effect, protocol, record};
use crate::lock::{Acquired, Failure, Lease, Lock, Metadata, Once, Owner, ResourceName, Tenure, Token};

/// Between two attempts to have Redis undo what a lost call may have done.
const UNDO_AGAIN: Duration = Duration::from_millis(50);

/// What an acquire asks for.
#[derive(Debug)]
pub struct Acquire {
    /// What to lock.
    pub resource: ResourceName,
    /// Who asks.
    pub owner: Owner,
    /// For how long.
    pub lease: Lease,
    /// What to keep with the lock.
    pub metadata: Metadata,
    /// How long to wait for it.
    pub wait: Duration,
    /// Given where the request may come again.
    pub once: Option<Once>,
}

/// What Redis said to one call.
enum Said {
    /// The acquire has ended.
    Done(Acquired),
    /// It waits in the queue.
    Queued {
        /// When it arrived there, in microseconds since 1970.
        arrived: u64,
        /// Of the holder, if there is one.
        fence: Option<u64>,
        /// When a claim may succeed without a message.
        look_in: Duration,
    },
    /// A copy of the request waits in its place.
    Superseded,
}

/// Which call of an attempt is made.
enum Ask {
    /// The first one.
    Try,
    /// A later one, of an attempt that joined the queue at this time (microseconds since 1970), if that is known.
    Claim(Option<u64>),
}

impl Store {
    /// Takes a lock if it is free, or waits for it. If nobody learns the outcome (no reply, or the caller is dropped
    /// while it waits), the place in the queue or the lock is given back in the background.
    pub async fn acquire(self: &Arc<Self>, asked: Acquire) -> Result<Acquired, Failure> {
        let mut attempt = self.begin(&asked);
        // A call of a waiter without a key that was lost.
        let mut lost = None;
        let answer = if asked.wait.is_zero() {
            self.ask_at_once(&attempt, &asked).await
        } else {
            let (deadline, mut came) = (Instant::now() + asked.wait, None);
            loop {
                match self.wait(&attempt, &asked, deadline, &mut came).await {
                    // Without a record nobody can tell later what came of the call: it may have been granted, and that grant
                    // may be over. Asking again could grant the lock a second time to the same attempt. So that attempt is
                    // undone, and another one goes on, at the same place.
                    Err(failure @ Failure::Unknown(_))
                        if asked.once.is_none() && self.is_undone(&attempt, deadline).await =>
                    {
                        lost = Some(failure);
                        attempt.answered();
                        attempt = self.begin(&asked);
                    }
                    answer => break answer,
                }
            }
        };
        let answer = match answer {
            // Boxed, so that nobody who waits keeps room for it.
            Ok(acquired) if self.replicas_wanted > 0 => Box::pin(self.confirmed_or_undone(&attempt, acquired)).await,
            answer => answer,
        };
        // A script that broke may have written before, so that too leaves the attempt to cancel itself. So does a waiter
        // that Redis could not be asked for: it may still be in the queue.
        match &answer {
            Err(Failure::Unknown(_) | Failure::Broken(_)) => {}
            Err(failure) if attempt.has_waited() && *failure != Failure::NotReplicated => {}
            // An earlier call of it may still arrive, and would queue or lock for nobody.
            Ok(acquired) if attempt.is_in_doubt() && !acquired.is_grant() => {}
            _ => attempt.answered(),
        }
        // A call that was lost may have been granted, and that grant may be over, as its record told while there was one.
        match (answer, lost) {
            (Ok(acquired), _) if acquired.is_grant() => Ok(acquired),
            (_, Some(lost)) => Err(lost),
            (Ok(_), None) if attempt.doubt_outlasts(self.window) => {
                Err(Failure::Unknown("a call of the waiter was lost, and its record has lapsed".into()))
            }
            (answer, None) => answer,
        }
    }

    fn begin(self: &Arc<Self>, asked: &Acquire) -> Attempt {
        let id = Uuid::now_v7().to_string();
        let request = asked.once.as_ref().map_or(id.as_str(), |once| once.key.as_str()).to_string();
        Attempt::begin(self, self.keys.lock(&asked.resource), request, id, asked.owner.clone())
    }

    /// Undoes an attempt, and says whether Redis has confirmed that before the deadline.
    async fn is_undone(&self, attempt: &Attempt, deadline: Instant) -> bool {
        loop {
            match attempt.undo().await {
                Ok(_) => return true,
                Err(Failure::Broken(_)) => return false,
                Err(_) if self.lines.is_dismissed() || deadline <= Instant::now() => return false,
                Err(_) => tokio::time::sleep(UNDO_AGAIN).await,
            }
        }
    }

    /// A grant that too few replicas of Redis confirm is given back: with the next failover it could be lost.
    async fn confirmed_or_undone(&self, attempt: &Attempt, acquired: Acquired) -> Result<Acquired, Failure> {
        let (Acquired::Granted(lock) | Acquired::Replayed(lock)) = &acquired else { return Ok(acquired) };
        let Err(unconfirmed) = self.confirmed(&attempt.lock, Effect::Granted(&lock.tenure.id)).await else {
            return Ok(acquired);
        };
        let Failure::Unknown(why) = &unconfirmed else { return Err(unconfirmed) };
        let undone = match attempt.undo().await {
            Ok(CancelReply::Released { .. }) => true,
            // It had ended by itself. Of a replayed one the same may be said when a copy relies on it.
            Ok(CancelReply::Marked { .. }) => lock.tenure.id == attempt.id,
            Ok(CancelReply::Kept { .. }) | Err(_) => false,
        };
        if !undone {
            return Err(unconfirmed);
        }
        warn!(id = lock.tenure.id, why, "replicas of Redis did not confirm a grant, and it was undone");
        Err(Failure::NotReplicated)
    }

    async fn ask_at_once(&self, attempt: &Attempt, asked: &Acquire) -> Result<Acquired, Failure> {
        match self.ask(attempt, asked, &Token::random(), Duration::ZERO, Ask::Try).await? {
            Said::Done(outcome) => Ok(outcome),
            Said::Queued { .. } | Said::Superseded => {
                Err(Failure::Broken("a script has queued a request that does not wait".into()))
            }
        }
    }

    /// Waits as this attempt. `came` says when the request joined the queue, by this attempt or one before it.
    async fn wait(
        &self,
        attempt: &Attempt,
        asked: &Acquire,
        deadline: Instant,
        came: &mut Option<u64>,
    ) -> Result<Acquired, Failure> {
        let token = Token::random();
        let queue = Sibling::Queue.key(&attempt.lock);
        let mut place = self.lines.enter(&queue, &attempt.id);
        // Of a call that may have queued the attempt or taken the lock, until a later one tells.
        let mut in_doubt = None;
        loop {
            // With a key the client comes back for the place, here or at another replica: it stays as it is, and nobody
            // passes it before a turn has passed without a claim.
            if self.lines.is_dismissed() && asked.once.is_some() && place.arrived.is_some() {
                return Ok(Acquired::Dismissed);
            }
            let left = match self.lines.is_dismissed() {
                false => deadline.saturating_duration_since(Instant::now()),
                true => Duration::ZERO,
            };
            let last = left.as_millis() == 0;
            let ask = match place.arrived.or(*came) {
                None if in_doubt.is_none() => Ask::Try,
                arrived => Ask::Claim(arrived),
            };
            // Boxed: whoever waits is not to keep room for it.
            match Box::pin(self.ask(attempt, asked, &token, left, ask)).await {
                Ok(Said::Done(Acquired::Held { .. } | Acquired::Reserved { .. } | Acquired::Recovering { .. }))
                    if self.lines.is_dismissed() =>
                {
                    return Ok(Acquired::Dismissed);
                }
                Ok(Said::Done(outcome)) => {
                    if let Acquired::Granted(lock) = &outcome {
                        place.granted(lock.tenure.fence, Duration::from_millis(lock.tenure.ttl));
                    }
                    return Ok(outcome);
                }
                Ok(Said::Queued { arrived, fence, look_in }) => {
                    attempt.waits();
                    (in_doubt, *came) = (None, Some(arrived));
                    place.queued(arrived, fence, look_in);
                }
                Ok(Said::Superseded) => {
                    in_doubt = None;
                    place.superseded();
                }
                Err(failure @ Failure::Broken(_)) => return Err(failure),
                // The caller knows what to do without a record that tells what came of the call.
                Err(failure @ Failure::Unknown(_)) if asked.once.is_none() || attempt.doubt_outlasts(self.window) => {
                    return Err(failure);
                }
                Err(failure) => {
                    let unknown = |failure: &Failure| matches!(failure, Failure::Unknown(_));
                    // What came of an earlier call stays unknown when this one was not executed.
                    let failure = in_doubt.take().unwrap_or(failure);
                    // Redis may know the attempt: asking again is safe, and it may be back before the time is over. Who has
                    // not come so far is told at once, and may ask another replica.
                    if last || place.arrived.is_none() && !unknown(&failure) {
                        return Err(failure);
                    }
                    in_doubt = Some(failure).filter(unknown);
                    if in_doubt.is_some() {
                        attempt.doubts();
                    }
                    place.retry_later();
                }
            }
            place.called(deadline).await;
        }
    }

    async fn ask(
        &self,
        attempt: &Attempt,
        asked: &Acquire,
        token: &Token,
        wait: Duration,
        ask: Ask,
    ) -> Result<Said, Failure> {
        let Acquire { owner, lease, metadata, once, .. } = asked;
        let mut call = gorilla_scripts::Acquire {
            id: &attempt.id,
            token: token.expose(),
            owner: owner.as_str(),
            metadata: metadata.as_json().get(),
            lease: lease.as_millis(),
            request: &attempt.request,
            print: record(once.as_ref()).1,
            wait: Some(wait.as_millis() as u64).filter(|wait| *wait > 0),
            channel: &self.channel,
            arrived: None,
        };
        let reply = match ask {
            Ask::Try => self.run_try(&attempt.lock, &Try(call)).await?,
            Ask::Claim(arrived) => {
                call.arrived = arrived;
                self.run_claim(&attempt.lock, &Claim(call)).await?
            }
        };
        let lock = |id: String, token: Token, fence: u64, created: i64, ttl: u64| {
            let (owner, updated, expires) = (owner.as_str().into(), created, created + lease.as_millis() as i64);
            let metadata = metadata.clone();
            Lock { tenure: Tenure { id, owner, metadata, fence, created, updated, expires, ttl }, token }
        };
        // Those who don't wait have no position, which the domain has as 0.
        let position = Option::unwrap_or_default;
        Ok(Said::Done(match reply {
            AcquireReply::Granted { fence, created } => {
                Acquired::Granted(lock(attempt.id.clone(), token.clone(), fence, created, lease.as_millis()))
            }
            AcquireReply::Replayed { fence, created, id, token, ttl } => {
                let is_own = id == attempt.id;
                let lock = lock(id, Token::from_stored(token), fence, created, ttl);
                // The reply to this very attempt was lost.
                if is_own { Acquired::Granted(lock) } else { Acquired::Replayed(lock) }
            }
            AcquireReply::Queued { arrived, fence, look_in } => {
                return Ok(Said::Queued { arrived, fence, look_in: Duration::from_millis(look_in) });
            }
            AcquireReply::Superseded => return Ok(Said::Superseded),
            AcquireReply::Held { holder, waiting, position: place } => {
                Acquired::Held { holder: protocol::holder(holder), waiting, position: position(place) }
            }
            AcquireReply::Reserved { waiting, position: place } => {
                Acquired::Reserved { waiting, position: position(place) }
            }
            AcquireReply::Recovering { left, waiting, position: place } => {
                if let Some(recovery) = &self.recovery {
                    recovery.note(Duration::from_millis(left), false);
                }
                Acquired::Recovering { left, waiting, position: position(place) }
            }
            AcquireReply::Unsettled { left } => Acquired::Unsettled { left },
            AcquireReply::Full { waiting } => Acquired::QueueFull { waiting },
            AcquireReply::Gone => Acquired::Gone,
            AcquireReply::Reused => Acquired::KeyReused,
            AcquireReply::Cancelled => {
                return Err(Failure::Unknown("the attempt was cancelled before it reached Redis".into()));
            }
        }))
    }
}

//! Acquire, and wait for it: `lua/acquire.lua`.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use super::{
    Store,
    cancel::Attempt,
    confirm::Effect,
    reply::{Reply, unexpected},
};
use crate::lock::{Acquired, Failure, Lease, Lock, Metadata, Once, Owner, ResourceName, Tenure, Token};

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
        /// Of the holder, 0 if the lock is free.
        fence: u64,
        /// When a claim may succeed without a message.
        look_in: Duration,
    },
    /// A copy of the request waits in its place.
    Superseded,
}

impl Store {
    /// Takes a lock if it is free, or waits for it. If nobody learns the outcome (no reply, or the caller is dropped
    /// while it waits), the place in the queue or the lock is given back in the background.
    pub async fn acquire(self: &Arc<Self>, asked: Acquire) -> Result<Acquired, Failure> {
        let id = Uuid::now_v7().to_string();
        let request_key = self.keys.request(&asked.resource, asked.once.as_ref().map_or(&id, |once| once.key.as_str()));
        let keys = self.keys.of_queue(&asked.resource);
        let attempt = Attempt::begin(self, keys, request_key, id, asked.owner.clone());
        let answer = if asked.wait.is_zero() {
            self.ask_at_once(&attempt, asked).await
        } else {
            self.wait(&attempt, asked).await
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
        match answer {
            // A call that was lost may have been granted, and that grant may be over, as its record told while there was one.
            Ok(acquired) if !acquired.is_grant() && attempt.doubt_outlasts(self.window) => {
                Err(Failure::Unknown("a call of the waiter was lost, and its record has lapsed".into()))
            }
            answer => answer,
        }
    }

    /// A grant that too few replicas of Redis confirm is given back: with the next failover it could be lost.
    async fn confirmed_or_undone(&self, attempt: &Attempt, acquired: Acquired) -> Result<Acquired, Failure> {
        let (Acquired::Granted(lock) | Acquired::Replayed(lock)) = &acquired else { return Ok(acquired) };
        let Err(unconfirmed) = self.confirmed(&attempt.keys.lock, Effect::Granted(&lock.tenure.id)).await else {
            return Ok(acquired);
        };
        let Failure::Unknown(why) = &unconfirmed else { return Err(unconfirmed) };
        let undone = match attempt.undo().await.as_deref() {
            Ok("released") => true,
            // It had ended by itself. Of a replayed one the same may be said when a copy relies on it.
            Ok("marked") => lock.tenure.id == attempt.id,
            _ => false,
        };
        if !undone {
            return Err(unconfirmed);
        }
        warn!(id = lock.tenure.id, why, "replicas of Redis did not confirm a grant, and it was undone");
        Err(Failure::NotReplicated)
    }

    async fn ask_at_once(&self, attempt: &Attempt, asked: Acquire) -> Result<Acquired, Failure> {
        match self.ask(attempt, &asked, &Token::random(), Duration::ZERO, "").await? {
            Said::Done(outcome) => Ok(outcome),
            Said::Queued { .. } | Said::Superseded => Err(unexpected("queued")),
        }
    }

    async fn wait(&self, attempt: &Attempt, asked: Acquire) -> Result<Acquired, Failure> {
        let deadline = Instant::now() + asked.wait;
        let token = Token::random();
        let mut place = self.lines.enter(&attempt.keys.queue, &attempt.id);
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
            let arrived = match place.arrived {
                Some(arrived) => arrived.to_string(),
                None => in_doubt.as_ref().map_or("", |_| "?").into(),
            };
            // Boxed: whoever waits is not to keep room for it.
            match Box::pin(self.ask(attempt, &asked, &token, left, &arrived)).await {
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
                    in_doubt = None;
                    place.queued(arrived, fence, look_in);
                }
                Ok(Said::Superseded) => {
                    in_doubt = None;
                    place.superseded();
                }
                Err(failure @ Failure::Broken(_)) => return Err(failure),
                // Without a record nobody can tell later what came of the call: it may have been granted, and that grant may
                // be over. Asking again could grant the lock a second time to the same attempt.
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
        arrived: &str,
    ) -> Result<Said, Failure> {
        let Acquire { resource, owner, lease, metadata, once, .. } = asked;
        let keys = &attempt.keys;
        let fence_key = self.keys.fence(resource);
        let incarnation = self.recovery.as_ref().map(|recovery| recovery.key(&keys.lock));
        let mut keys = vec![keys.lock.as_str(), &fence_key, &keys.queue, &keys.turn, &attempt.request_key];
        keys.extend(incarnation.as_deref());
        let grace = self.recovery.as_ref().map_or("0", |recovery| recovery.grace.as_str());
        let args = [
            &attempt.id,
            token.expose(),
            owner.as_str(),
            metadata.as_json().get(),
            &lease.as_millis().to_string(),
            &self.fence_kept,
            Self::fingerprint(once.as_ref()),
            &self.window_ms,
            &wait.as_millis().to_string(),
            &self.channel,
            arrived,
            &self.queue_limits.most_waiters,
            &self.queue_limits.place_kept,
            &self.queue_limits.longest_attempt,
            grace,
        ];
        // Those who wait were let in before: a bound on commands in flight must not cost them their turn.
        let sent = match arrived.is_empty() {
            true => self.link.call(&self.scripts.acquire, &keys, &args).await,
            false => self.link.call_uncounted(&self.scripts.acquire, &keys, &args).await,
        };
        let (outcome, mut reply) = Reply::open(sent?)?;
        let lock = |reply: &mut Reply, replayed: bool| -> Result<Lock, Failure> {
            let (fence, created) = (reply.number()?, reply.number()?);
            let (id, token, ttl) = match replayed {
                false => (attempt.id.clone(), token.clone(), lease.as_millis()),
                true => (reply.text()?, Token::from_stored(reply.text()?), reply.number()?),
            };
            let (owner, updated, expires) = (owner.as_str().into(), created, created + lease.as_millis() as i64);
            Ok(Lock {
                tenure: Tenure { id, owner, metadata: metadata.clone(), fence, created, updated, expires, ttl },
                token,
            })
        };
        Ok(Said::Done(match outcome.as_str() {
            "granted" => Acquired::Granted(lock(&mut reply, false)?),
            "replayed" => {
                let lock = lock(&mut reply, true)?;
                // The reply to this very attempt was lost.
                if lock.tenure.id == attempt.id { Acquired::Granted(lock) } else { Acquired::Replayed(lock) }
            }
            "queued" => {
                let (arrived, fence, look_in) = (reply.number()?, reply.number()?, reply.number::<u64>()?);
                return Ok(Said::Queued { arrived, fence, look_in: Duration::from_millis(look_in) });
            }
            "superseded" => return Ok(Said::Superseded),
            "held" => Acquired::Held { holder: reply.holder()?, waiting: reply.number()?, position: reply.number()? },
            "reserved" => Acquired::Reserved { waiting: reply.number()?, position: reply.number()? },
            "recovering" => {
                let left = reply.number()?;
                if let Some(recovery) = &self.recovery {
                    recovery.note(Duration::from_millis(left), false);
                }
                Acquired::Recovering { left, waiting: reply.number()?, position: reply.number()? }
            }
            "unsettled" => Acquired::Unsettled { left: reply.number()? },
            "full" => Acquired::QueueFull { waiting: reply.number()? },
            "gone" => Acquired::Gone,
            "reused" => Acquired::KeyReused,
            "cancelled" => return Err(Failure::Unknown("the attempt was cancelled before it reached Redis".into())),
            other => return Err(unexpected(other)),
        }))
    }
}

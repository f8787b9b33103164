//! Acquires several locks, all or none. If one server has all of them and they are free, one script takes them all:
//! `take_at_once.rs`. Otherwise each part is an acquire like any other, with a short lease: the parts are taken in the order that all sets have, those that are held are renewed while the set waits for the next, and when the set has all
//! of them, it commits: `lua/hold.lua` gives each part the lease that the set asks for. If the replica dies before that, its
//! parts end soon. docs/internals/sets.md says why.

use std::{
    future::pending,
    iter::{repeat, zip},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use gorilla_domain::{AcquireSet, Acquired, Failure, Lock, LockSet, Release, SetAcquired, event::UndoneCause};
use gorilla_scripts::{Held, HoldReply};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::set_parts::{Parts, Stopped};
use crate::store::{base::Store, doubt::Attempt, durability::Effect, protocol};

/// From one renewal of the parts to the next. A part outlives two renewals that fail.
const RENEW_EVERY: Duration = Duration::from_millis(1500);
/// From a renewal that failed to the next.
const RENEW_AGAIN: Duration = Duration::from_millis(250);

impl Store {
    /// Takes several locks, all or none, or waits for them. If nobody learns the outcome, a task in the background gives
    /// the parts back.
    pub async fn acquire_set(self: &Arc<Self>, asked: &AcquireSet) -> Result<SetAcquired, Failure> {
        let begun = Instant::now();
        let deadline = begun + asked.wait();
        loop {
            let mut parts = Parts::default();
            let stopped = match self.complete(asked, begun, deadline, &mut parts).await {
                Ok(acquired) => {
                    parts.attempts.iter().for_each(Attempt::over);
                    return Ok(acquired);
                }
                Err(stopped) => stopped,
            };
            // An answer that the client has none of the locks is given when that is so.
            let is_undone = self.are_given_back(&parts, deadline).await;
            let may_start_over = is_undone && Instant::now() < deadline && !self.waiters.is_dismissed();
            let unknown = |what: String| Failure::Unknown(what);
            let failure = match stopped {
                Stopped::Refused(resource, by) if is_undone => return Ok(SetAcquired::Refused { resource, by }),
                Stopped::Refused(..) => unknown("Redis did not confirm that the parts of a set were given back".into()),
                Stopped::Lost(resource) => unknown(format!("{:?} ended before a set was complete", resource.as_str())),
                Stopped::Unconfirmed(why) if is_undone => {
                    warn!(why, "replicas of Redis did not confirm a set of locks, and it was undone");
                    return Err(Failure::NotReplicated);
                }
                Stopped::Unconfirmed(why) => unknown(why),
                Stopped::Failed(failure @ (Failure::Unknown(_) | Failure::Broken(_))) => failure,
                Stopped::Failed(failure) if is_undone => return Err(failure),
                Stopped::Failed(failure) => unknown(format!("the parts of a set may remain after {failure:?}")),
            };
            match failure {
                Failure::Unknown(why) if may_start_over => {
                    info!(resources = asked.parts().len(), why, "a set of locks starts over");
                }
                failure => return Err(failure),
            }
        }
    }

    /// Takes all parts and commits them.
    async fn complete(
        self: &Arc<Self>,
        asked: &AcquireSet,
        begun: Instant,
        deadline: Instant,
        parts: &mut Parts,
    ) -> Result<SetAcquired, Stopped> {
        // The leases begin after this moment, so a client that counts from it never believes too long.
        let mut waited = begun.elapsed();
        let committed = match self.take_at_once(asked, parts).await? {
            Some(held) => held.into_iter().map(|held| (held, false)).collect(),
            None => {
                self.take_one_by_one(asked, deadline, parts).await?;
                waited = begun.elapsed();
                self.commit(asked, parts).await?
            }
        };
        self.confirm_all(parts, &committed).await?;
        let (mut locks, mut all_before) = (Vec::with_capacity(committed.len()), true);
        for (lock, (held, before)) in zip(parts.locks.drain(..), committed) {
            locks.push(with_lease(lock, asked, held).map_err(Stopped::Failed)?);
            all_before &= before;
        }
        let ttl = locks.iter().map(|lock| lock.tenure.ttl).min().unwrap_or_default();
        let set = LockSet { locks: asked.in_request_order(locks), ttl, waited };
        Ok(if all_before { SetAcquired::Replayed(set) } else { SetAcquired::Granted(set) })
    }

    /// Takes the parts one after another, and renews those that it has.
    async fn take_one_by_one(
        self: &Arc<Self>,
        asked: &AcquireSet,
        deadline: Instant,
        parts: &mut Parts,
    ) -> Result<(), Stopped> {
        let mut renew_at = Instant::now();
        for part in asked.ascending() {
            parts.attempts.push(self.begin(part));
            let Some((attempt, held)) = parts.attempts.split_last() else { continue };
            let acquired = tokio::select! {
                // Boxed, so that a set that waits keeps room for the longest future only once.
                acquired = Box::pin(self.take(attempt, deadline)) => acquired,
                stopped = self.renew(held, &parts.locks, &mut renew_at) => return Err(stopped),
            };
            let acquired = match acquired {
                // Not over: a part is given back unless the set is completed.
                Ok(Acquired::Granted(lock) | Acquired::Replayed(lock)) => {
                    if parts.locks.is_empty() {
                        renew_at = Instant::now() + RENEW_EVERY;
                    }
                    parts.locks.push(lock);
                    continue;
                }
                other => other,
            };
            attempt.answered(&acquired);
            return Err(match acquired {
                // As with a single acquire: an earlier call may have been granted the lock, and the record that could
                // tell has lapsed.
                Ok(_) if attempt.doubt_outlasts(self.window) => {
                    let why = "a call of the waiter was lost, and its record has lapsed";
                    Stopped::Failed(Failure::Unknown(why.into()))
                }
                Ok(refusal) => Stopped::Refused(part.resource.clone(), refusal),
                Err(failure) => Stopped::Failed(failure),
            });
        }
        Ok(())
    }

    /// Takes one part, like an acquire of this resource alone.
    async fn take(self: &Arc<Self>, attempt: &Attempt, deadline: Instant) -> Result<Acquired, Failure> {
        match attempt.bid.asked.wait.is_zero() {
            true => self.ask_at_once(attempt).await,
            false => self.wait_as(attempt, deadline, &mut None).await,
        }
    }

    /// Renews parts until one of them is lost. A renewal that fails is repeated: the commit decides whether a part was held
    /// all the while.
    async fn renew(&self, held: &[Attempt], locks: &[Lock], at: &mut Instant) -> Stopped {
        if held.is_empty() {
            return pending().await;
        }
        loop {
            sleep_until(*at).await;
            let replies = join_all(zip(held, locks).map(|(attempt, lock)| self.renew_part(attempt, lock))).await;
            let mut next = RENEW_EVERY;
            for (attempt, reply) in zip(held, replies) {
                match reply {
                    Ok(HoldReply::Held(_) | HoldReply::Committed(_)) => {}
                    Ok(HoldReply::Lost | HoldReply::Recovering { .. }) => return lost(attempt),
                    Err(failure @ Failure::Broken(_)) => return Stopped::Failed(failure),
                    Err(_) => next = RENEW_AGAIN,
                }
            }
            *at = Instant::now() + next;
        }
    }

    /// Commits all parts. Says how each is held, and whether an attempt of a copy had committed it before.
    async fn commit(&self, asked: &AcquireSet, parts: &Parts) -> Result<Vec<(Held, bool)>, Stopped> {
        let each = || zip(&parts.attempts, &parts.locks);
        let replies = each().map(|(attempt, lock)| self.commit_part(attempt, lock, asked.lease()));
        let mut committed = Vec::with_capacity(parts.locks.len());
        for (attempt, reply) in zip(&parts.attempts, join_all(replies).await) {
            committed.push(match reply.map_err(Stopped::Failed)? {
                HoldReply::Held(held) => (held, false),
                HoldReply::Committed(held) => (held, true),
                HoldReply::Lost | HoldReply::Recovering { .. } => return Err(lost(attempt)),
            });
        }
        Ok(committed)
    }

    /// Has replicas of Redis confirm the leases of all parts.
    async fn confirm_all(&self, parts: &Parts, committed: &[(Held, bool)]) -> Result<(), Stopped> {
        if self.replicas_wanted == 0 {
            return Ok(());
        }
        let each = zip(zip(&parts.attempts, &parts.locks), committed);
        let confirmed = each.map(|((attempt, lock), (held, _))| {
            self.confirmed(&attempt.lock, Effect::Updated(&lock.token, held.updated))
        });
        for confirmed in join_all(confirmed).await {
            confirmed.map_err(|failure| match failure {
                Failure::Unknown(why) => Stopped::Unconfirmed(why),
                failure => Stopped::Failed(failure),
            })?;
        }
        Ok(())
    }

    /// Gives all parts back, and the places in queues. Says whether Redis confirmed that before the deadline.
    async fn are_given_back(self: &Arc<Self>, parts: &Parts, deadline: Instant) -> bool {
        let locks = parts.locks.iter().map(Some).chain(repeat(None));
        let given_back = zip(&parts.attempts, locks).map(|(part, lock)| self.is_given_back(part, lock, deadline));
        join_all(given_back).await.into_iter().all(|is_given_back| is_given_back)
    }

    async fn is_given_back(self: &Arc<Self>, attempt: &Attempt, lock: Option<&Lock>, deadline: Instant) -> bool {
        if attempt.is_over() {
            return true;
        }
        let asked = &attempt.bid.asked;
        if let Some(lock) = lock
            && asked.once.is_none()
            && !attempt.is_in_doubt()
        {
            // All calls of this attempt were answered, and there is no copy of it. So a release will do, and, unlike a
            // cancellation, it leaves no mark in Redis.
            let release = Release {
                resource: asked.resource.clone(),
                token: lock.token.clone(),
                after: Duration::ZERO,
                once: None,
            };
            if self.release(&release).await.is_ok() {
                attempt.over();
                return true;
            }
        }
        let is_undone = self.is_undone(attempt, UndoneCause::Incomplete, deadline).await;
        if is_undone {
            attempt.over();
        }
        is_undone
    }
}

fn lost(attempt: &Attempt) -> Stopped {
    Stopped::Lost(attempt.bid.asked.resource.clone())
}

/// A part with the lease that its commit gave.
fn with_lease(mut lock: Lock, asked: &AcquireSet, held: Held) -> Result<Lock, Failure> {
    let broken = |malformed: gorilla_scripts::Malformed| Failure::Broken(malformed.0);
    let lease = asked.lease().as_millis();
    lock.tenure.expires = protocol::time(held.ends).map_err(broken)?;
    // Not `held.updated`: the holder may have extended the lock since, and a replay tells what was answered first.
    lock.tenure.updated = protocol::time(held.ends.saturating_sub_unsigned(lease)).map_err(broken)?;
    lock.tenure.ttl = Duration::from_millis(held.ttl);
    Ok(lock)
}

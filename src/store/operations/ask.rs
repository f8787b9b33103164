//! One call of an acquire: turns what is asked into the arguments of a script, and the reply into what is known then.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use gorilla_domain::{Acquire, Acquired, Blocked, Blocker, Failure, Lock, Tenure, Token};
use gorilla_scripts::{AcquireReply, Claim, Join};

use crate::store::{base::Store, bid::Bid, doubt::Attempt, error::Error, protocol};

/// How far a call has brought an acquire.
pub enum Progress {
    /// The acquire has ended.
    Done(Acquired),
    /// The acquire waits in the queue.
    Queued {
        /// When it arrived there, in microseconds since 1970.
        arrived: u64,
        /// The fence of the holder, if there is one.
        fence: Option<u64>,
        /// When a claim may succeed without a message.
        look_in: Duration,
    },
    /// A copy of the request has its place in the queue now.
    Superseded,
}

/// Which script a call runs.
pub enum Ask {
    /// `try`, for the first call of an attempt.
    Try,
    /// `claim`, for a later call. The attempt joined the queue at this time (microseconds since 1970), if that is
    /// known.
    Claim(Option<u64>),
}

impl Store {
    /// Makes one call of an attempt.
    pub(super) async fn ask(
        self: &Arc<Self>,
        attempt: &Attempt,
        wait: Duration,
        ask: Ask,
    ) -> Result<Progress, Failure> {
        let Attempt { lock, bid, .. } = attempt;
        // Made where it is sent, because this future would keep it.
        let asked = || bid.call(&self.channel, wait);
        let share = bid.share.as_deref();
        let mut reply = AcquireReply::Shared;
        if share.is_none() {
            reply = match ask {
                Ask::Try => self.run_try(lock, &bid.first_call(&self.channel, wait)).await?,
                Ask::Claim(arrived) => self.run_claim(lock, &Claim { asked: asked(), arrived }).await?,
            };
        }
        if reply == AcquireReply::Shared {
            let (again, arrived) = match ask {
                Ask::Try => (false, None),
                Ask::Claim(arrived) => (true, arrived),
            };
            reply = self.run_join(lock, &Join { asked: asked(), share, again, arrived }).await?;
        }
        if let AcquireReply::Joined { turn, .. } = reply {
            self.watch_turn(lock, turn);
        }
        self.progress(bid, reply)
    }

    /// What is known of an attempt after a reply.
    pub(super) fn progress(&self, bid: &Bid, reply: AcquireReply) -> Result<Progress, Failure> {
        let Acquire { owner, lease, metadata, .. } = &*bid.asked;
        let lock =
            |id: String, token: Token, fence, created: i64, ttl: Duration, part: Option<_>| -> Result<Lock, Error> {
                let expires = protocol::time(created.saturating_add_unsigned(lease.as_millis()))?;
                let created = protocol::time(created)?;
                let (owner, updated) = (owner.as_str().into(), created);
                let metadata = metadata.clone();
                Ok(Lock {
                    tenure: Tenure { id, owner, metadata, fence, created, updated, expires, ttl },
                    token,
                    part: part.map(protocol::part),
                    waited: None,
                })
            };
        let blocked = |by, waiting, position: Option<u64>| {
            Acquired::Blocked(Blocked { by, waiting, position: position.and_then(NonZeroU64::new) })
        };
        Ok(Progress::Done(match reply {
            AcquireReply::Granted { fence, created } => {
                self.metrics.redis.saw_clock(created);
                Acquired::Granted(lock(bid.id.clone(), bid.token.clone(), fence, created, lease.as_duration(), None)?)
            }
            AcquireReply::Replayed { fence, created, id, token, ttl } => {
                let is_own = id == bid.id;
                let lock = lock(id, Token::from_stored(token), fence, created, Duration::from_millis(ttl), None)?;
                // An earlier call of this attempt was granted the lock, and its reply was lost.
                if is_own { Acquired::Granted(lock) } else { Acquired::Replayed(lock) }
            }
            AcquireReply::Joined { fence, created, part, .. } => {
                let (id, token, ttl) = (bid.id.clone(), bid.token.clone(), lease.as_duration());
                Acquired::Granted(lock(id, token, fence, created, ttl, Some(part))?)
            }
            AcquireReply::Rejoined { fence, created, id, token, ttl, part } => {
                let is_own = id == bid.id;
                let (token, ttl) = (Token::from_stored(token), Duration::from_millis(ttl));
                let lock = lock(id, token, fence, created, ttl, Some(part))?;
                if is_own { Acquired::Granted(lock) } else { Acquired::Replayed(lock) }
            }
            AcquireReply::Crowd { holder, waiting, position, group } => {
                blocked(Blocker::Group(protocol::holder(holder), protocol::group(group)), waiting, position)
            }
            AcquireReply::Limited { limit } => Acquired::LimitMismatch { limit },
            AcquireReply::Crowded { holders } => Acquired::TooManyHolders { holders },
            // `ask` has asked `join` then, and a handover frees the lock before it claims it.
            AcquireReply::Shared => {
                return Err(Failure::Broken("a script found a group where there is none".into()));
            }
            AcquireReply::Queued { arrived, fence, look_in } => {
                return Ok(Progress::Queued { arrived, fence, look_in: Duration::from_millis(look_in) });
            }
            AcquireReply::Superseded => return Ok(Progress::Superseded),
            AcquireReply::Held { holder, waiting, position } => {
                blocked(Blocker::Holder(protocol::holder(holder)), waiting, position)
            }
            AcquireReply::Reserved { waiting, position } => blocked(Blocker::Queue, waiting, position),
            AcquireReply::Recovering { left, waiting, position } => {
                let left = Duration::from_millis(left);
                if let Some(recovery) = &self.recovery {
                    recovery.note(left, false);
                }
                blocked(Blocker::Recovery(left), waiting, position)
            }
            AcquireReply::Unsettled { left } => Acquired::Unsettled(Duration::from_millis(left)),
            AcquireReply::Replaced => Acquired::Replaced,
            AcquireReply::Full { waiting } => Acquired::QueueFull { waiting },
            AcquireReply::Over { held } => Acquired::QuotaReached { held },
            AcquireReply::Gone => Acquired::Gone,
            AcquireReply::Reused => Acquired::KeyReused,
            AcquireReply::Cancelled => {
                return Err(Failure::Unknown("the acquire was cancelled before it reached Redis".into()));
            }
        }))
    }
}

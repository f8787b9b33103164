//! `lua/try.lua` and `lua/claim.lua`, which differ by what the attempt knows of when it joined the queue.

use super::{Env, Reply, grace, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Id, Lock, Ms, Name, Outcome, Place, Record, Redis, Token, Us},
};

/// What an attempt knows of when it joined the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arrived {
    /// It has not joined: `try`.
    Not,
    /// The reply that would tell was lost: `claim` without a time.
    Unknown,
    /// It joined at this time.
    At(Us),
}

/// The arguments.
#[derive(Clone, Debug)]
pub struct Acquire {
    /// The id of the attempt.
    pub id: Id,
    /// The token that the lock gets.
    pub token: Token,
    /// The length of the lease.
    pub lease: Ms,
    /// The name under which the request is remembered.
    pub request: Name,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub fingerprint: Option<Fingerprint>,
    /// Whether to wait.
    pub wait: bool,
    /// The channel of the replica of Gorilla.
    pub channel: u8,
    /// When this attempt arrived in the queue.
    pub arrived: Arrived,
}

/// Grants the lock if nobody holds it and no earlier request waits for it; otherwise queues, if asked to.
pub fn acquire(redis: &mut Redis, env: &Env, call: &Acquire) -> Reply {
    let now = env.now_ms();
    redis.expire(now);
    let id = call.id;
    let own = |redis: &Redis| redis.queue.iter().find(|place| place.id == id).copied();
    let joined = call.arrived != Arrived::Not;
    let mut named = id;
    let mut arrived = match call.arrived {
        Arrived::Not | Arrived::Unknown => None,
        Arrived::At(when) => Some(when),
    };

    let recovery = grace::recovery(redis, env);
    let mut marks = Default::default();
    if let Some(record) = redis.requests.get_mut(&call.request)
        && !(env.makes(Mistake::ReplayGrantsAgain) && matches!(record.outcome, Outcome::Acquired { .. }))
    {
        if record.cancelled.contains(&id) {
            return Reply::Cancelled;
        }
        marks = record.cancelled.clone();
        let reused = record.fingerprint() != call.fingerprint;
        match record.outcome {
            Outcome::Cancelled => {}
            _ if reused => return Reply::Reused,
            Outcome::Waiting { place, .. } => {
                if place.id != id {
                    if joined && call.wait {
                        return Reply::Superseded;
                    }
                    named = place.id;
                }
                arrived = Some(place.arrived);
            }
            Outcome::Acquired { id: holder, token, fence, created, .. } => {
                let ttl = (created + call.lease).saturating_sub(now);
                if ttl == 0 || redis.lock.as_ref().is_none_or(|lock| lock.id != holder) {
                    return Reply::Gone;
                }
                // Another client may have been granted the lock since, in the data that was lost.
                let left = if env.grace.is_some_and(|grace| grace.for_replays) { recovery } else { 0 };
                if left > 0 {
                    return Reply::Unsettled { left };
                }
                record.told.insert(id);
                return Reply::Replayed { fence, created, id: holder, token, ttl };
            }
            Outcome::Extended { .. } | Outcome::Released { .. } => {
                unreachable!("a fingerprint belongs to one operation")
            }
        }
    }
    let note = |redis: &mut Redis, outcome: Outcome| {
        let mut record = Record::new(outcome);
        record.cancelled = marks;
        redis.requests.insert(call.request, record);
    };

    let mut left = None;
    let recovering = if redis.lock.is_none() { recovery } else { 0 };
    if recovering > 0 {
        left = Some(recovering);
        redis.turn = None;
    } else if redis.lock.is_none() || env.makes(Mistake::AcquireIgnoresHolder) {
        let head = shared::first(redis, env);
        let (is_first, its_turn) = match head {
            None => (true, None),
            Some((place, left)) => (arrived.is_some_and(|arrived| arrived <= place.arrived), left),
        };
        if is_first || env.makes(Mistake::QueueLetsIn) {
            if head.is_some() {
                redis.queue.retain(|place| place.id != id && place.id != named);
                redis.turn = None;
            }
            let fence = match env.mistake {
                Some(Mistake::FenceCounts) => redis.fence + 1,
                _ => env.now.max(redis.fence + 1),
            };
            redis.fence = fence;
            redis.lock =
                Some(Lock { id, token: call.token, metadata: 0, fence, created: now, expires: now + call.lease });
            if let Some(fingerprint) = call.fingerprint {
                note(redis, Outcome::Acquired { fingerprint, id, token: call.token, fence, created: now });
            }
            return Reply::Granted { fence, created: now };
        }
        left = Some(its_turn.unwrap_or_else(|| shared::wake(redis, env)));
    }

    if !call.wait {
        let position = redis.queue.iter().position(|place| place.id == named).map_or(0, |rank| rank + 1);
        let waiting = redis.queue.len();
        if joined {
            redis.queue.retain(|place| place.id != id);
            if let (Some(arrived), Some(fingerprint), true) = (arrived, call.fingerprint, named == id) {
                note(redis, Outcome::Waiting { fingerprint, place: Place { arrived, id, channel: call.channel } });
            }
        }
        if recovering > 0 {
            return Reply::Recovering { left: recovering, waiting, position };
        }
        return match &redis.lock {
            Some(lock) => Reply::Held { id: lock.id, fence: lock.fence, ttl: lock.expires - now, waiting, position },
            None => Reply::Reserved { waiting, position },
        };
    }

    if own(redis).is_none() {
        let arrived = match arrived {
            Some(arrived) => arrived,
            None => {
                let waiting = redis.queue.len();
                if waiting >= env.room {
                    return Reply::Full { waiting };
                }
                redis.queue.last().map_or(env.now, |last| env.now.max(last.arrived + 1))
            }
        };
        if named != id {
            redis.queue.retain(|place| place.id != named);
        }
        let place = Place { arrived, id, channel: call.channel };
        redis.queue.insert(place);
        if let Some(fingerprint) = call.fingerprint {
            note(redis, Outcome::Waiting { fingerprint, place });
        }
        return queued(redis, arrived, left, now);
    }
    let arrived = arrived.or(own(redis).map(|place| place.arrived)).unwrap_or(env.now);
    queued(redis, arrived, left, now)
}

fn queued(redis: &Redis, arrived: Us, left: Option<Ms>, now: Ms) -> Reply {
    let (fence, ttl) = redis.lock.as_ref().map_or((0, 0), |lock| (lock.fence, lock.expires - now));
    Reply::Queued { arrived, fence, look_in: left.unwrap_or(ttl) }
}

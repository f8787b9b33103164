//! `lua/extend.lua`.

use super::{Env, Reply, Times, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Lock, Ms, Name, Outcome, Record, Redis, Token, Told},
};

/// The arguments.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The token that the client sent.
    pub token: Token,
    /// The token that replaces it.
    pub new_token: Token,
    /// The length of the lease from now.
    pub lease: Ms,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
}

/// Renews a lease and replaces its token, if the caller has the current one.
pub fn extend(redis: &mut Redis, env: &Env, call: &Extend) -> Reply {
    let now = env.now_ms();
    redis.expire(now);
    let (request, fingerprint) = call.once.unzip();
    match shared::recall(redis, request, fingerprint) {
        Some((_, true)) => return Reply::Reused,
        Some((record, false)) => {
            let Outcome::Extended { id, token, updated, .. } = record.outcome else {
                unreachable!("a fingerprint belongs to one operation");
            };
            let ttl = (updated + call.lease).saturating_sub(now);
            let Some(lock) = redis.lock.as_ref().filter(|lock| lock.id == id && ttl > 0) else { return Reply::Gone };
            let (owner, fence, created) = (lock.owner, lock.fence, lock.created);
            let times = Times { created, updated, expires: updated + call.lease, ttl };
            return Reply::ExtendReplayed { token, id, owner, fence, times, part: None };
        }
        None => {}
    }

    let is_its = |lock: &&mut Lock| {
        lock.token == call.token || env.makes(Mistake::ExtendComparesTenureOnly) && lock.id == call.token.tenure
    };
    // A group has an owner, and no token of this kind.
    let Some(lock) = redis.lock.as_mut().filter(is_its) else { return shared::mismatch(redis, env) };
    let (id, owner, fence, created, ttl) = (lock.id, lock.owner, lock.fence, lock.created, lock.expires - now);
    if call.lease < ttl {
        return Reply::Shorter { ttl };
    }

    let (token, expires) = (call.new_token, now + call.lease);
    lock.token = token;
    lock.updated = Told(now);
    lock.expires = expires;
    redis.fence = fence;
    if let Some((request, fingerprint)) = call.once {
        let outcome = Outcome::Extended { fingerprint, id, token, updated: now };
        redis.requests.insert(request, Record::new(outcome));
    }
    let times = Times { created, updated: now, expires, ttl: call.lease };
    Reply::Extended { token, id, owner, fence, times, part: None }
}

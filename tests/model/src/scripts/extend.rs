//! `lua/extend.lua`.

use super::{Env, Reply, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Ms, Name, Outcome, Record, Redis, Token},
};

/// The arguments.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The token that the client sent.
    pub token: Token,
    /// The token that replaces it, or the same token.
    pub new_token: Token,
    /// The length of the lease from now.
    pub lease: Ms,
    /// What the holder says of the lock from now on, if it says something new.
    pub metadata: Option<u8>,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
}

/// Renews a lease, if the caller has the current token, and replaces the token and, if the caller wants, the metadata.
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
            let (fence, created, expires) = (lock.fence, lock.created, updated + call.lease);
            let metadata = call.metadata.unwrap_or(lock.metadata);
            return Reply::ExtendReplayed { token, id, metadata, fence, created, updated, expires, ttl };
        }
        None => {}
    }

    let Some(lock) = &mut redis.lock else { return Reply::Missing };
    let (id, fence, created, ttl) = (lock.id, lock.fence, lock.created, lock.expires - now);
    if lock.token != call.token && !(env.makes(Mistake::ExtendComparesTenureOnly) && id == call.token.tenure) {
        return Reply::MismatchHeld { id, fence, ttl };
    }
    if call.lease < ttl {
        return Reply::Shorter { ttl };
    }

    let (token, expires) = (call.new_token, now + call.lease);
    lock.token = token;
    lock.expires = expires;
    lock.metadata = call.metadata.unwrap_or(lock.metadata);
    let metadata = lock.metadata;
    redis.fence = fence;
    if let Some((request, fingerprint)) = call.once {
        let outcome = Outcome::Extended { fingerprint, id, token, updated: now };
        redis.requests.insert(request, Record::new(outcome));
    }
    Reply::Extended { token, id, metadata, fence, created, updated: now, expires, ttl: call.lease }
}

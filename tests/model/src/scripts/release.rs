//! `lua/release.lua`.

use super::{Env, Reply, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Name, Outcome, Record, Redis, Token},
};

/// The arguments.
#[derive(Clone, Debug)]
pub struct Release {
    /// The token that the client sent.
    pub token: Token,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
}

/// Frees a lock, if the caller has its token, and wakes the first waiter.
pub fn release(redis: &mut Redis, env: &Env, call: &Release) -> Reply {
    redis.expire(env.now_ms());
    let (request, fingerprint) = call.once.unzip();
    match shared::recall(redis, request, fingerprint) {
        Some((_, true)) => return Reply::Reused,
        Some((_, false)) => return Reply::ReleaseReplayed,
        None => {}
    }

    let Some(lock) = &redis.lock else { return Reply::Missing };
    if lock.token != call.token && !env.makes(Mistake::ReleaseComparesNoToken) {
        return Reply::Mismatch;
    }

    redis.lock = None;
    if let Some((request, fingerprint)) = call.once {
        redis.requests.insert(request, Record::new(Outcome::Released { fingerprint }));
    }
    Reply::Released { turn: shared::wake(redis, env) }
}

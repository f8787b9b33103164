//! `lua/hold.lua`, for a part of a set that is wanted alone and whose request has no Idempotency-Key.

use super::{Env, Reply, grace};
use crate::{
    Mistake,
    redis::{Id, Ms, Redis},
};

/// The arguments.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The id of the grant.
    pub id: Id,
    /// The length of the lease from now.
    pub lease: Ms,
    /// Whether to commit; otherwise to renew.
    pub commit: bool,
}

/// Renews or commits a part of a set, by the id of its grant.
pub fn hold(redis: &mut Redis, env: &Env, call: &Hold) -> Reply {
    let now = env.now_ms();
    redis.expire(now);
    let ends = now + call.lease;
    let recovering = if call.commit { grace::recovery(redis, env) } else { 0 };
    match redis.lock.as_mut().filter(|lock| lock.id == call.id) {
        None if env.makes(Mistake::CommitIgnoresLoss) => {}
        None => return Reply::Lost,
        Some(_) if recovering > 0 => return Reply::Unsettled { left: recovering },
        // A renewal that arrives late must not shorten the lease of the commit.
        Some(lock) if call.commit || lock.expires < ends => lock.expires = ends,
        Some(_) => {}
    }
    Reply::PartHeld { ends, ttl: call.lease }
}

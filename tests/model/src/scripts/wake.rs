//! `lua/wake.lua`.

use super::{Env, Reply, shared};
use crate::redis::Redis;

/// Moves a queue on if the waiter that was woken did not claim the lock.
pub fn wake(redis: &mut Redis, env: &Env) -> Reply {
    redis.expire(env.now_ms());
    if redis.lock.is_some() {
        return Reply::Woken { turn: 0 };
    }
    Reply::Woken { turn: shared::wake(redis, env) }
}

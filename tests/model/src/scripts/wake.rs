//! `lua/wake.lua`.

use super::{Env, Reply, group, shared};
use crate::redis::Redis;

/// Moves a queue on if the waiter that was woken did not claim the lock.
pub fn wake(redis: &mut Redis, env: &Env) -> Reply {
    redis.expire(env.now_ms());
    group::open(redis, env);
    let turn = match (&redis.lock, &redis.group) {
        (Some(_), _) => 0,
        (_, Some(_)) => group::changed(redis, env),
        (None, None) => shared::wake(redis, env),
    };
    Reply::Woken { turn }
}

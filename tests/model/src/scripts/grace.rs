//! The option `failover_grace`: when an incarnation of the data is seen for the first time, grants wait.

use super::Env;
use crate::redis::{Ms, Redis};

/// How long grants still wait. An incarnation of the data that is seen for the first time begins the grace. A replica
/// looks when it connects, and with each acquire.
pub fn recovery(redis: &mut Redis, env: &Env) -> Ms {
    let Some(grace) = env.grace else { return 0 };
    if redis.seen != Some(env.incarnation) {
        redis.seen = Some(env.incarnation);
        redis.grants_from = env.now_ms() + grace.length;
    }
    redis.grants_from.saturating_sub(env.now_ms())
}

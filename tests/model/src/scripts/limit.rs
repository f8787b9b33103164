//! `lua/limit.lua` and `lua/lib/group/limit.lua`.

use super::{Env, Reply, group};
use crate::redis::{Limit, Redis, Share};

/// What to do with the limit of a resource before it is told.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Pin it.
    Pin(u8),
    /// Unpin it.
    Unpin,
}

/// Tells the limit of a resource, and pins or unpins it before.
pub fn limit(redis: &mut Redis, env: &Env, change: &Change) -> Reply {
    redis.expire(env.now_ms());
    group::open(redis, env);
    if let Change::Pin(limit) = *change {
        redis.limit = Some(Limit::Pinned(limit));
        if let Some(group) = &mut redis.group {
            group.limit = Some(limit);
            group::uncall(redis);
            group::changed(redis, env);
        }
    }
    if let (Change::Unpin, Some(Limit::Pinned(_))) = (change, redis.limit) {
        redis.limit = None;
    }
    let limit = match (redis.limit, &redis.group) {
        (Some(Limit::Pinned(limit)), _) => return Reply::Limit { limit: Some(limit), pinned: true },
        (_, Some(group)) => group.limit,
        _ => waiting(redis, None).flatten(),
    };
    Reply::Limit { limit, pinned: false }
}

/// The limit that a shared request in the queue has named. If what is noted is what is wanted, nobody looks.
pub(super) fn waiting(redis: &Redis, wanted: Option<Option<u8>>) -> Option<Option<u8>> {
    match (redis.limit, wanted) {
        _ if redis.queue.is_empty() => None,
        (Some(Limit::Named(noted)), Some(wanted)) if noted == wanted => Some(wanted),
        _ => redis.queue.iter().find_map(|place| place.share).map(|share| share.limit),
    }
}

/// The limit for a request; or, as an error, the limit that is in force instead.
pub(super) fn of(redis: &Redis, share: Share, has_place: bool) -> Result<Option<u8>, Option<u8>> {
    let pinned = if let Some(Limit::Pinned(limit)) = redis.limit { Some(limit) } else { None };
    let wanted = share.limit.or(pinned);
    let limit = match (pinned, &redis.group) {
        (Some(pinned), _) => Some(pinned),
        (_, Some(group)) => group.limit,
        _ => waiting(redis, Some(wanted)).unwrap_or(wanted),
    };
    let fits = limit.is_none_or(|limit| share.permits <= limit);
    if fits && (limit == wanted || has_place) { Ok(limit) } else { Err(limit) }
}

/// Notes the limit that a request in the queue has named.
pub(super) fn note(redis: &mut Redis, limit: Option<u8>) {
    if !matches!(redis.limit, Some(Limit::Pinned(_))) {
        redis.limit = Some(Limit::Named(limit));
    }
}

//! `lua/lib/turn.lua`, `lua/lib/fence.lua`, the part of `lua/lib/record.lua` that answers copies, and what replies tell
//! of a group.

use super::{Crowd, Env, Reply};
use crate::{
    Mistake,
    redis::{Fingerprint, Group, Id, Ms, Name, Place, Record, Redis, Turn},
};

/// The record under `name`, unless there is none or only marks; and whether it belongs to another request.
pub fn recall(redis: &Redis, name: Option<Name>, fingerprint: Option<Fingerprint>) -> Option<(&Record, bool)> {
    let record = redis.requests.get(&name?)?;
    let of = record.fingerprint()?;
    Some((record, Some(of) != fingerprint))
}

/// The fence of a new grant.
pub fn next_fence(redis: &mut Redis, env: &Env) -> u64 {
    redis.fence = match env.mistake {
        Some(Mistake::FenceCounts) => redis.fence + 1,
        _ => env.now.max(redis.fence + 1),
    };
    redis.fence
}

/// The first place of the queue, and how long its turn still lasts. A turn that passed without a claim costs the
/// replica all its places, unless nobody has looked for a whole turn since.
pub fn first(redis: &mut Redis, env: &Env) -> Option<(Place, Option<Ms>)> {
    let place = *redis.queue.first()?;
    let Some(turn) = redis.turn.filter(|turn| turn.id == place.id) else { return Some((place, None)) };
    let left = (turn.since + env.turn).saturating_sub(env.now_ms());
    if left > 0 {
        return Some((place, Some(left.min(env.turn))));
    }
    if turn.since + 2 * env.turn < env.now_ms() {
        return Some((place, None));
    }
    redis.queue.retain(|other| other.channel != place.channel);
    redis.turn = None;
    redis.queue.first().map(|place| (*place, None))
}

/// For a lock that is free: gives the turn to the first in the queue, unless it has it already. How long it lasts.
pub fn wake(redis: &mut Redis, env: &Env) -> Ms {
    match first(redis, env) {
        None => {
            redis.turn = None;
            0
        }
        Some((_, Some(left))) => left,
        Some((place, None)) => {
            redis.turn = Some(Turn { since: env.now_ms(), id: place.id });
            env.turn
        }
    }
}

/// Owner, fence and rest of the lease of the holder that ends last.
pub fn last_of(group: &Group, env: &Env) -> (Id, u64, Ms) {
    let last = group.last();
    (last.owner, last.fence, last.expires.saturating_sub(env.now_ms()))
}

/// What the holders have together.
pub fn crowd(group: &Group, env: &Env) -> Crowd {
    let holders = group.members.values().filter(|member| member.expires > env.now_ms()).count();
    Crowd { used: group.used, limit: group.limit, holders }
}

/// The lock has no holder with the caller's token.
pub(super) fn mismatch(redis: &Redis, env: &Env) -> Reply {
    let now = env.now_ms();
    let (owner, fence, ttl) = match (&redis.lock, &redis.group) {
        (Some(lock), _) => (lock.owner, lock.fence, lock.expires - now),
        (_, Some(group)) => last_of(group, env),
        (None, None) => return Reply::Missing,
    };
    Reply::MismatchHeld { owner, fence, ttl }
}

//! `lua/lib/turn.lua`, and the part of `lua/lib/record.lua` that answers copies.

use super::Env;
use crate::redis::{Fingerprint, Ms, Name, Place, Record, Redis, Turn};

/// The record under `name`, unless there is none or only marks; and whether it belongs to another request.
pub fn recall(redis: &Redis, name: Option<Name>, fingerprint: Option<Fingerprint>) -> Option<(&Record, bool)> {
    let record = redis.requests.get(&name?)?;
    let of = record.fingerprint()?;
    Some((record, Some(of) != fingerprint))
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

//! `lua/lib/group/group.lua` and `lua/lib/group/call.lua`.

use super::{Env, shared};
use crate::{
    Mistake,
    redis::{Group, Id, Member, Ms, Place, Redis, Turn},
};

/// Takes out the holders whose leases have ended, some at a time. Whether there are more.
pub fn open(redis: &mut Redis, env: &Env) -> bool {
    let Some(group) = &mut redis.group else { return false };
    let is_over = |id: &Id| group.members[id].expires <= env.now_ms();
    let ended: Vec<_> = group.by_end().into_iter().filter(is_over).take(env.most_ended).collect();
    for id in &ended {
        let permits = group.members.remove(id).map_or(0, |member| member.permits);
        if !env.makes(Mistake::PruneForgetsUsed) {
            group.used -= u32::from(permits);
        }
    }
    if group.members.is_empty() {
        redis.group = None;
    }
    ended.len() == env.most_ended
}

/// Whether there is room for so many permits.
pub fn fits(group: &Group, permits: u8) -> bool {
    group.limit.is_none_or(|limit| group.used + group.reserved + u32::from(permits) <= u32::from(limit))
}

/// How long until the lease of a holder ends.
pub fn next_end(group: &Group, more: bool, env: &Env) -> Ms {
    let first = group.members.values().map(|member| member.expires).min().unwrap_or_default();
    if more { 1 } else { first.saturating_sub(env.now_ms()).max(1) }
}

/// The holder with this id, if its lease has not ended.
pub fn live<'a>(redis: &'a Redis, id: Id, env: &Env) -> Option<&'a Member> {
    redis.group.as_ref()?.members.get(&id).filter(|member| member.expires > env.now_ms())
}

/// Takes a holder out.
pub fn remove(redis: &mut Redis, id: Id) {
    let Some(group) = &mut redis.group else { return };
    if let Some(member) = group.members.remove(&id) {
        group.used -= u32::from(member.permits);
    }
}

/// Forgets who was called.
pub fn uncall(redis: &mut Redis) {
    if let Some(group) = &mut redis.group {
        (group.bound, group.reserved) = (0, 0);
    }
}

/// Takes the place of an attempt out of the queue.
pub fn leave_queue(redis: &mut Redis, id: Id) {
    let Some(place) = redis.queue.iter().find(|place| place.id == id).copied() else { return };
    redis.queue.remove(&place);
    if let (Some(group), Some(share)) = (&mut redis.group, place.share)
        && place.arrived <= group.bound
    {
        group.reserved -= u32::from(share.permits);
    }
}

/// Calls the waiters behind those that were called, as long as each of them fits.
fn call_more(group: &mut Group, queue: &[Place], env: &Env) {
    let bound = group.bound;
    for (called, place) in queue.iter().filter(|place| place.arrived > bound).enumerate() {
        let Some(share) = place.share.filter(|share| called < env.most_called && fits(group, share.permits)) else {
            return;
        };
        (group.bound, group.reserved) = (place.arrived, group.reserved + u32::from(share.permits));
    }
}

/// Calls waiters that fit. How long the turn of the first of those that were called lasts.
pub fn call(redis: &mut Redis, env: &Env) -> Ms {
    let Some(mut group) = redis.group.take() else { return 0 };
    let turn = call_in(&mut group, redis, env);
    redis.group = Some(group);
    turn
}

fn call_in(group: &mut Group, redis: &mut Redis, env: &Env) -> Ms {
    if redis.queue.is_empty() {
        (group.bound, group.reserved) = (0, 0);
        redis.turn = None;
        return 0;
    }
    loop {
        let queue: Vec<_> = redis.queue.iter().copied().collect();
        call_more(group, &queue, env);
        let first = queue.first();
        if first.is_some_and(|place| place.share.is_none()) {
            group.bound = 0;
        }
        let Some(first) = first.filter(|first| first.arrived <= group.bound) else {
            group.reserved = 0;
            redis.turn = None;
            return 0;
        };
        let over = redis.turn.filter(|turn| turn.id == first.id).map(|turn| turn.since + env.turn);
        let now = env.now_ms();
        match over {
            Some(over) if over > now => return (over - now).min(env.turn),
            Some(over) if over + env.turn >= now => {
                redis.queue.retain(|place| place.channel != first.channel);
                redis.turn = None;
                let called = redis.queue.iter().filter(|place| place.arrived <= group.bound);
                group.reserved = called.filter_map(|place| place.share).map(|share| u32::from(share.permits)).sum();
            }
            _ => {
                redis.turn = Some(Turn { since: now, id: first.id });
                return env.turn;
            }
        }
    }
}

/// After a change of a group: calls waiters. If the group has ended, gives the turn to the first waiter. How long the
/// turn lasts.
pub fn changed(redis: &mut Redis, env: &Env) -> Ms {
    let is_over = |group: &Group| group.members.values().all(|member| member.expires <= env.now_ms());
    if redis.group.as_ref().is_some_and(is_over) {
        redis.group = None;
        return shared::wake(redis, env);
    }
    call(redis, env)
}

//! `lua/join.lua` and `lua/lib/group/join.lua`.

use super::{
    Acquire, Env, Part, Reply,
    acquire::{self, Asked, Block},
    grace, group, limit, shared,
};
use crate::{
    Mistake,
    redis::{Group, Member, Outcome, Redis, Share},
};

/// Asks for a lock that is shared or is to be shared, for a request of either mode.
pub fn join(redis: &mut Redis, env: &Env, call: &Acquire) -> Reply {
    redis.expire(env.now_ms());
    let more = group::open(redis, env);
    let asked = match acquire::remembered(redis, env, call) {
        Ok(asked) => asked,
        Err(Reply::Replayed { fence, created, id, token, ttl }) if call.share.is_some() => {
            let Some(part) = part_of(redis, id) else { return Reply::Gone };
            return Reply::Rejoined { fence, created, id, token, ttl, part };
        }
        Err(reply) => return reply,
    };
    let mut allowed = None;
    if let Some(share) = call.share {
        let is_full = redis.group.as_ref().is_some_and(|group| group.members.len() >= env.holders);
        let reply = match limit::of(redis, share, asked.arrived.is_some()) {
            Err(limit) => Some(Reply::Limited { limit }),
            Ok(_) if is_full => Some(Reply::Crowded { holders: env.holders }),
            Ok(limit) => {
                allowed = limit;
                None
            }
        };
        if let Some(reply) = reply {
            if call.is_again() {
                leave(redis, env, call, false);
            }
            return reply;
        }
    }
    let (block, others_wait) = match redis.group.is_some() {
        true => (in_group(redis, env, call, &asked, more), false),
        false => acquire::blocks(redis, env, &asked),
    };
    match (block, call.share) {
        (Some(block), _) if call.wait => queued(redis, env, call, &asked, block, allowed),
        (Some(block), _) => refused(redis, env, call, &asked, block),
        (None, None) => acquire::granted(redis, env, call, &asked, others_wait),
        (None, Some(share)) => {
            if others_wait {
                redis.turn = None;
            }
            joined(redis, env, call, &asked, share, allowed)
        }
    }
}

fn part_of(redis: &Redis, id: u8) -> Option<Part> {
    let group = redis.group.as_ref()?;
    let permits = group.members.get(&id)?.permits;
    Some(Part { permits, limit: group.limit, floor: group.floor })
}

/// `join_blocks`: what prevents that the request enters the group.
fn in_group(redis: &mut Redis, env: &Env, call: &Acquire, asked: &Asked, more: bool) -> Option<Block> {
    let left = if call.share.is_some() { grace::recovery(redis, env) } else { 0 };
    if left > 0 {
        group::uncall(redis);
        redis.turn = None;
        return Some(Block::Recovering { left });
    }
    let turn = group::call(redis, env);
    let group = redis.group.as_ref().expect("a group holds the lock");
    if call.share.is_some_and(|share| may_enter(redis, env, group, asked, share)) {
        return None;
    }
    let end = group::next_end(group, more, env);
    let is_reserved = call.share.is_some_and(|share| group::fits(group, share.permits));
    Some(Block::Group { left: if turn > 0 { turn.min(end) } else { end }, floor: group.floor, is_reserved })
}

fn may_enter(redis: &Redis, env: &Env, group: &Group, asked: &Asked, share: Share) -> bool {
    if let Some(place) = redis.queue.iter().find(|place| place.id == asked.named) {
        return place.arrived <= group.bound;
    }
    let mut between = redis.queue.iter().filter(|place| place.arrived > group.bound);
    let earlier = between.any(|place| asked.arrived.is_none_or(|arrived| place.arrived < arrived));
    group::fits(group, share.permits) && (!earlier || env.makes(Mistake::JoinIgnoresQueue))
}

/// `join_granted`: makes the request a holder of the group, or of a new group.
fn joined(redis: &mut Redis, env: &Env, call: &Acquire, asked: &Asked, share: Share, limit: Option<u8>) -> Reply {
    group::leave_queue(redis, call.id);
    group::leave_queue(redis, asked.named);
    let (id, token, created) = (call.id, call.token, env.now_ms());
    let fence = shared::next_fence(redis, env);
    let begun = Group { members: Default::default(), used: 0, limit, floor: fence, bound: 0, reserved: 0 };
    let group = redis.group.get_or_insert(begun);
    if env.makes(Mistake::FloorIsFence) {
        group.floor = fence;
    }
    group.used += u32::from(share.permits);
    let (permits, floor) = (share.permits, group.floor);
    let expires = created + call.lease;
    group.members.insert(id, Member { owner: id, token, fence, permits, created, updated: created, expires });
    let turn = group::changed(redis, env);
    call.note(redis, asked, |fingerprint| {
        let ends = acquire::uncommitted(fingerprint);
        Outcome::Acquired { fingerprint, id, token, fence, created, ends }
    });
    Reply::Joined { fence, created, turn, part: Part { permits, limit, floor } }
}

/// `join_leave`: takes the place of a request out of the queue, which may let others in.
fn leave(redis: &mut Redis, env: &Env, call: &Acquire, recovering: bool) {
    group::leave_queue(redis, call.id);
    if recovering || env.makes(Mistake::LeaveCallsNobody) {
        return;
    }
    if redis.group.is_some() {
        group::changed(redis, env);
    } else if redis.lock.is_none() {
        shared::wake(redis, env);
    }
}

/// `join_refused`: refuses a request that doesn't wait, or whose wait is over.
fn refused(redis: &mut Redis, env: &Env, call: &Acquire, asked: &Asked, block: Block) -> Reply {
    let reply = acquire::refused(redis, env, asked, block);
    if call.is_again() {
        leave(redis, env, call, matches!(block, Block::Recovering { .. }));
        acquire::keep_place(redis, call, asked);
    }
    reply
}

/// `join_queued`: gives the request a place in the queue, unless it has one.
fn queued(redis: &mut Redis, env: &Env, call: &Acquire, asked: &Asked, block: Block, allowed: Option<u8>) -> Reply {
    let reply = acquire::queued(redis, env, call, asked, block);
    let arrived = if let Reply::Queued { arrived, .. } = reply { Some(arrived) } else { None };
    if arrived.is_some() && call.share.is_some() {
        limit::note(redis, allowed);
    }
    let Some(group) = &redis.group else { return reply };
    if arrived.is_some_and(|arrived| arrived <= group.bound) {
        group::uncall(redis);
    }
    if !matches!(block, Block::Recovering { .. }) {
        group::changed(redis, env);
    }
    reply
}

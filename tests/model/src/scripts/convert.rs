//! `lua/convert.lua`.

use super::{Env, Part, Reply, group, limit, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Group, Id, Limit, Lock, Member, Ms, Name, Outcome, Record, Redis, Share, Token, Told},
};

/// The arguments.
#[derive(Clone, Debug)]
pub struct Convert {
    /// The token that the client sent.
    pub token: Token,
    /// The id of the new grant.
    pub id: Id,
    /// The token of the new grant.
    pub new_token: Token,
    /// The length of the lease from now.
    pub lease: Ms,
    /// What it wants; nothing to have the lock alone.
    pub share: Option<Share>,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
}

/// Makes a grant of another mode out of the grant of a caller that has its token.
pub fn convert(redis: &mut Redis, env: &Env, call: &Convert) -> Reply {
    let now = env.now_ms();
    redis.expire(now);
    let (request, fingerprint) = call.once.unzip();
    let recalled = shared::recall(redis, request, fingerprint).map(|(record, other)| (record.clone(), other));
    if let Some((_, true)) = recalled {
        return Reply::Reused;
    }
    group::open(redis, env);
    if let Some((record, false)) = recalled {
        let Outcome::Acquired { id, token, created, .. } = record.outcome else {
            unreachable!("a fingerprint belongs to one operation");
        };
        let ttl = (created + call.lease).saturating_sub(now);
        return if ttl == 0 || !redis.holds(id) { Reply::Gone } else { Reply::ConvertReplayed { token, ttl } };
    }
    let reply = match call.share {
        Some(share) => to_shared(redis, env, call, share),
        None => to_exclusive(redis, env, call),
    };
    if let (Reply::Shares { fence, created, .. } | Reply::Alone { fence, created, .. }, Some(once)) =
        (&reply, call.once)
    {
        let (id, token) = (call.id, call.new_token);
        let (fingerprint, fence, created) = (once.1, *fence, *created);
        let outcome = Outcome::Acquired { fingerprint, id, token, fence, created, ends: None };
        redis.requests.insert(once.0, Record::new(outcome));
    }
    reply
}

fn to_shared(redis: &mut Redis, env: &Env, call: &Convert, share: Share) -> Reply {
    let now = env.now_ms();
    let Some(lock) = redis.lock.clone().filter(|lock| lock.token == call.token) else {
        return shared::mismatch(redis, env);
    };
    if call.lease < lock.expires - now {
        return Reply::Shorter { ttl: lock.expires - now };
    }
    // Without a limit of its own it takes that of the others.
    let pinned = if let Some(Limit::Pinned(limit)) = redis.limit { Some(limit) } else { None };
    let named = share.limit.or(pinned).or_else(|| limit::waiting(redis, None).flatten());
    let limit = match limit::of(redis, Share { limit: named, ..share }, false) {
        Ok(limit) => limit,
        Err(limit) => return Reply::Limited { limit },
    };
    let (owner, permits, created) = (lock.owner, share.permits, now);
    let fence = shared::next_fence(redis, env);
    let member =
        Member { owner, token: call.new_token, fence, permits, created, updated: now, expires: now + call.lease };
    redis.lock = None;
    let members = [(call.id, member)].into();
    let group = Group { members, used: u32::from(permits), limit, floor: fence, bound: 0, reserved: 0 };
    redis.group = Some(group);
    let turn = group::changed(redis, env);
    Reply::Shares { fence, created, owner, turn, part: Part { permits, limit, floor: fence } }
}

fn to_exclusive(redis: &mut Redis, env: &Env, call: &Convert) -> Reply {
    let now = env.now_ms();
    let holder = group::live(redis, call.token.tenure, env).filter(|holder| holder.token == call.token).cloned();
    let (Some(holder), Some(group)) = (holder, &redis.group) else { return shared::mismatch(redis, env) };
    let crowd = shared::crowd(group, env);
    let (owner, fence, ttl) = shared::last_of(group, env);
    if crowd.holders > 1 && !env.makes(Mistake::ConvertIgnoresOthers) {
        return Reply::ConvertCrowd { owner, fence, ttl, crowd };
    }
    if call.lease < ttl {
        return Reply::Shorter { ttl };
    }
    redis.group = None;
    redis.turn = None;
    let (owner, created) = (holder.owner, now);
    let fence = shared::next_fence(redis, env);
    let (id, token, expires) = (call.id, call.new_token, now + call.lease);
    redis.lock = Some(Lock { id, owner, token, fence, created, updated: Told(created), expires });
    Reply::Alone { fence, created, owner }
}

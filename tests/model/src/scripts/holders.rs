//! `lua/shared_extend.lua`, `lua/shared_release.lua` and `lua/shared_break.lua`.

use super::{Env, Extend, Part, Release, Reply, Times, group, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Name, Outcome, Record, Redis, Token},
};

/// Renews the lease of a holder of a shared lock, if the caller has its token.
pub fn shared_extend(redis: &mut Redis, env: &Env, call: &Extend) -> Reply {
    let (now, id) = (env.now_ms(), call.token.tenure);
    redis.expire(now);
    let (request, fingerprint) = call.once.unzip();
    let recalled = shared::recall(redis, request, fingerprint).map(|(record, other)| (record.clone(), other));
    if let Some((_, true)) = recalled {
        return Reply::Reused;
    }
    group::open(redis, env);
    let holder = group::live(redis, id, env).cloned();
    let part = |redis: &Redis, permits| {
        redis.group.as_ref().map(|group| Part { permits, limit: group.limit, floor: group.floor })
    };
    if let Some((record, false)) = recalled {
        let Outcome::Extended { token, updated, .. } = record.outcome else {
            unreachable!("a fingerprint belongs to one operation");
        };
        let ttl = (updated + call.lease).saturating_sub(now);
        let Some(holder) = holder.filter(|holder| ttl > 0 && holder.token == token) else { return Reply::Gone };
        let (owner, fence, created) = (holder.owner, holder.fence, holder.created);
        let times = Times { created, updated, expires: updated + call.lease, ttl };
        return Reply::ExtendReplayed { token, id, owner, fence, times, part: part(redis, holder.permits) };
    }
    if redis.is_free() {
        return Reply::Missing;
    }
    let Some(holder) = holder.filter(|holder| is_its(holder.token, call.token, env)) else {
        return shared::mismatch(redis, env);
    };
    let ttl = holder.expires - now;
    if call.lease < ttl {
        return Reply::Shorter { ttl };
    }
    let (token, expires) = (call.new_token, now + call.lease);
    if let Some(member) = redis.group.as_mut().and_then(|group| group.members.get_mut(&id)) {
        (member.token, member.updated, member.expires) = (token, now, expires);
    }
    if let Some((request, fingerprint)) = call.once {
        redis.requests.insert(request, Record::new(Outcome::Extended { fingerprint, id, token, updated: now }));
    }
    let (owner, fence, created) = (holder.owner, holder.fence, holder.created);
    let times = Times { created, updated: now, expires, ttl: call.lease };
    Reply::Extended { token, id, owner, fence, times, part: part(redis, holder.permits) }
}

/// Takes a holder out of a group, if the caller has its token.
pub fn shared_release(redis: &mut Redis, env: &Env, call: &Release) -> Reply {
    redis.expire(env.now_ms());
    let (request, fingerprint) = call.once.unzip();
    match shared::recall(redis, request, fingerprint) {
        Some((_, true)) => return Reply::Reused,
        Some((_, false)) => return Reply::ReleaseReplayed,
        None => {}
    }
    group::open(redis, env);
    if redis.is_free() {
        return Reply::Missing;
    }
    let id = call.token.tenure;
    if !group::live(redis, id, env).is_some_and(|holder| is_its(holder.token, call.token, env)) {
        return Reply::Mismatch;
    }
    group::remove(redis, id);
    let turn = group::changed(redis, env);
    if let Some((request, fingerprint)) = call.once {
        redis.requests.insert(request, Record::new(Outcome::Released { fingerprint }));
    }
    Reply::Released { turn }
}

/// The arguments of `shared_break`.
#[derive(Clone, Debug)]
pub struct Break {
    /// Of the holder; absent if the request names none.
    pub fence: Option<u64>,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
}

/// Takes a holder out of a group without its token.
pub fn shared_break(redis: &mut Redis, env: &Env, call: &Break) -> Reply {
    redis.expire(env.now_ms());
    let (request, fingerprint) = call.once.unzip();
    match shared::recall(redis, request, fingerprint) {
        Some((_, true)) => return Reply::Reused,
        Some((record, false)) => {
            let Outcome::Broken { id, owner, fence, .. } = record.outcome else {
                unreachable!("a fingerprint belongs to one operation");
            };
            return Reply::BreakReplayed { id, owner, fence };
        }
        None => {}
    }
    group::open(redis, env);
    let Some(group) = &redis.group else { return Reply::Missing };
    let Some(fence) = call.fence else { return Reply::Unnamed { crowd: shared::crowd(group, env) } };
    let mut members = group.members.iter().filter(|(_, member)| member.expires > env.now_ms());
    let Some((id, member)) = members.find(|(_, member)| member.fence == fence) else {
        let (owner, fence, ttl) = shared::last_of(group, env);
        return Reply::Changed { owner, fence, ttl };
    };
    let (id, owner, token) = (*id, member.owner, member.token);
    redis.broken.insert(token, env.now_ms());
    group::remove(redis, id);
    let turn = group::changed(redis, env);
    if let Some((request, fingerprint)) = call.once {
        redis.requests.insert(request, Record::new(Outcome::Broken { fingerprint, id, owner, fence }));
    }
    Reply::Broken { id, owner, fence, turn }
}

/// `lua/past_break.lua`: whether and when the grant of a token was broken.
pub fn past_break(redis: &Redis, token: Token) -> Reply {
    redis.broken.get(&token).map_or(Reply::NeverBroken, |at| Reply::PastBreak { at: *at })
}

/// Whether a token is the current token of its holder.
fn is_its(current: Token, token: Token, env: &Env) -> bool {
    current == token || env.makes(Mistake::AnySecretActs)
}

//! `lua/hold.lua`.

use std::collections::BTreeSet;

use super::{Env, Reply, grace, group};
use crate::{
    Mistake,
    redis::{Fingerprint, Id, Ms, Name, Outcome, Record, Redis, Token, Told},
};

/// The arguments.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The id of the grant.
    pub id: Id,
    /// The length of the lease from now.
    pub lease: Ms,
    /// Whether to commit; otherwise to renew.
    pub commit: bool,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
}

/// Renews or commits a part of a set, by the id of its grant.
pub fn hold(redis: &mut Redis, env: &Env, call: &Hold) -> Reply {
    let now = env.now_ms();
    redis.expire(now);
    group::open(redis, env);
    let Some((token, fence, created, updated)) = held(redis, env, call.id) else {
        return if env.makes(Mistake::CommitIgnoresLoss) {
            Reply::PartHeld { ends: now + call.lease, ttl: call.lease, updated: now }
        } else {
            Reply::Lost
        };
    };
    let recovering = if call.commit { grace::recovery(redis, env) } else { 0 };
    if recovering > 0 {
        return Reply::Unsettled { left: recovering };
    }
    let seen = call.once.and_then(|(name, _)| redis.requests.get(&name)).cloned();
    let ours = seen.as_ref().filter(|seen| matches!(seen.outcome, Outcome::Acquired { id, .. } if id == call.id));
    if let Some(Record { outcome: Outcome::Acquired { ends, .. }, .. }) = ours
        && *ends != Some(0)
    {
        let ends = ends.expect("the request is for a set");
        // The client may have extended the lock since.
        return match ends.saturating_sub(now) {
            0 => Reply::Lost,
            ttl => Reply::PartCommitted { ends, ttl, updated },
        };
    }

    let (ends, updated) = (now + call.lease, if call.commit { now } else { updated });
    renew(redis, call, ends, updated);
    if let Some((name, fingerprint)) = call.once
        && seen.as_ref().and_then(Record::fingerprint).is_none_or(|other| other == fingerprint)
    {
        let told = ours.map_or(BTreeSet::new(), |seen| seen.told.clone());
        let cancelled = seen.map_or(BTreeSet::new(), |seen| seen.cancelled);
        let ends = Some(if call.commit { ends } else { 0 });
        let outcome = Outcome::Acquired { fingerprint, id: call.id, token, fence, created, ends };
        redis.requests.insert(name, Record { outcome, cancelled, told });
    }
    Reply::PartHeld { ends, ttl: call.lease, updated }
}

/// `holder_held`: token, fence, and when the grant was made and extended, if it holds the lock.
fn held(redis: &Redis, env: &Env, id: Id) -> Option<(Token, u64, Ms, Ms)> {
    if let Some(lock) = redis.lock.as_ref().filter(|lock| lock.id == id) {
        return Some((lock.token, lock.fence, lock.created, lock.updated.0));
    }
    group::live(redis, id, env).map(|member| (member.token, member.fence, member.created, member.updated))
}

/// `renew_holder`, which a renewal that arrives late leaves out: it must not shorten the lease of the commit.
fn renew(redis: &mut Redis, call: &Hold, ends: Ms, updated: Ms) {
    if let Some(lock) = &mut redis.lock {
        if call.commit || lock.expires < ends {
            (lock.expires, lock.updated) = (ends, Told(updated));
        }
        if call.commit {
            redis.fence = lock.fence;
        }
    }
    let member = redis.group.as_mut().and_then(|group| group.members.get_mut(&call.id));
    if let Some(member) = member.filter(|member| call.commit || member.expires < ends) {
        (member.expires, member.updated) = (ends, updated);
    }
}

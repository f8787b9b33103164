//! `lua/take_all.lua`.

use std::collections::BTreeSet;

use super::{
    Acquire, Arrived, Env, Reply,
    acquire::{self, Asked},
};
use crate::redis::{Fingerprint, Id, Ms, Name, Outcome, Redis, Token};

/// The arguments. All parts are wanted alone.
#[derive(Clone, Debug)]
pub struct TakeAll {
    /// The ids of the attempts and the tokens that the locks get, one for each part.
    pub parts: Vec<(Id, Token)>,
    /// The attempt whose owner all parts get.
    pub owner: Id,
    /// The length of the lease.
    pub lease: Ms,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
    /// The channel of the replica of Gorilla.
    pub channel: u8,
}

impl TakeAll {
    /// The same for one part, as an acquire that does not wait.
    pub fn part(&self, index: usize) -> Acquire {
        let (id, token) = self.parts[index];
        let (name, fingerprint) = self.once.unzip();
        let request = name.unwrap_or(Name::Attempt(id));
        let (lease, channel, arrived) = (self.lease, self.channel, Arrived::Not);
        Acquire { id, token, lease, request, fingerprint, wait: false, channel, arrived, share: None }
    }
}

/// Grants all locks of a set if nothing is in the way of any of them, and otherwise none. `resources` are those of the
/// parts, in their order.
pub fn take_all(resources: &mut [&mut Redis], env: &Env, call: &TakeAll) -> Reply {
    let mut parts = Vec::new();
    for (index, redis) in resources.iter_mut().enumerate() {
        redis.expire(env.now_ms());
        let (of, part) = (call.part(index), index + 1);
        if redis.requests.contains_key(&of.request) || redis.group.is_some() {
            return Reply::SetUnsure { part };
        }
        let asked = Asked { named: of.id, arrived: None, cancelled: BTreeSet::new() };
        if let (Some(block), _) = acquire::blocks(redis, env, &asked) {
            return Reply::SetBlocked { part, why: Box::new(acquire::refused(redis, env, &asked, block)) };
        }
        parts.push((of, asked));
    }

    let ends = env.now_ms() + call.lease;
    let grant = |(redis, (of, asked)): (&mut &mut Redis, &(Acquire, Asked))| {
        acquire::granted(redis, env, of, asked, false);
        if let Some(lock) = &mut redis.lock {
            lock.owner = call.owner;
        }
        // The set is committed with this.
        if let Some(record) = redis.requests.get_mut(&of.request)
            && let Outcome::Acquired { ends: committed, .. } = &mut record.outcome
        {
            *committed = Some(ends);
        }
        redis.fence
    };
    let fences = resources.iter_mut().zip(&parts).map(grant).collect();
    Reply::SetGranted { created: env.now_ms(), fences }
}

//! `lua/release.lua` and `lua/handover.lua`.

use super::{Acquire, Env, Reply, acquire, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Name, Outcome, Record, Redis, Token},
};

/// The arguments.
#[derive(Clone, Debug)]
pub struct Release {
    /// The token that the client sent.
    pub token: Token,
    /// The Idempotency-Key, if there is one, and the fingerprint.
    pub once: Option<(Name, Fingerprint)>,
}

/// Frees a lock, if the caller has its token, and wakes the first waiter.
pub fn release(redis: &mut Redis, env: &Env, call: &Release) -> Reply {
    redis.expire(env.now_ms());
    let is_new = call.once.is_none_or(|(request, _)| !redis.requests.contains_key(&request));
    match released(redis, env, call) {
        // The plain case looks at the queue only. So it leaves a turn whose waiter is gone.
        Reply::Released { .. } if is_new && redis.queue.is_empty() => Reply::Released { turn: 0 },
        Reply::Released { .. } => Reply::Released { turn: shared::wake(redis, env) },
        refused => refused,
    }
}

/// `lua/handover.lua`: frees a lock, if the caller has its token, and claims it. The second reply is that to the claim;
/// there is none if the caller did not free the lock.
pub fn handover(redis: &mut Redis, env: &Env, release: &Release, claim: &Acquire) -> (Reply, Option<Reply>) {
    let ended = released(redis, env, release);
    let Reply::Released { .. } = ended else { return (ended, None) };
    let claimed = acquire(redis, env, claim);
    let granted = matches!(claimed, Reply::Granted { .. });
    let turn = if granted { 0 } else { shared::wake(redis, env) };
    (Reply::Released { turn }, Some(claimed))
}

/// `lua/lib/released.lua`: a release that wakes nobody.
fn released(redis: &mut Redis, env: &Env, call: &Release) -> Reply {
    redis.expire(env.now_ms());
    let (request, fingerprint) = call.once.unzip();
    match shared::recall(redis, request, fingerprint) {
        Some((_, true)) => return Reply::Reused,
        Some((_, false)) => return Reply::ReleaseReplayed,
        None => {}
    }

    if redis.is_free() {
        return Reply::Missing;
    }
    // A group has no token of this kind.
    let Some(lock) = &redis.lock else { return Reply::Mismatch };
    if lock.token != call.token && !env.makes(Mistake::ReleaseComparesNoToken) {
        return Reply::Mismatch;
    }

    redis.lock = None;
    if let Some((request, fingerprint)) = call.once {
        redis.requests.insert(request, Record::new(Outcome::Released { fingerprint }));
    }
    Reply::Released { turn: 0 }
}

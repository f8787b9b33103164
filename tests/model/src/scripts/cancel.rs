//! `lua/cancel.lua`.

use super::{Env, Reply, group, shared};
use crate::{
    Mistake,
    redis::{Id, Name, Outcome, Record, Redis},
};

/// The arguments. The place in the queue is named by the attempt.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The id of the attempt.
    pub id: Id,
    /// The key that the acquire used.
    pub request: Name,
}

/// Undoes an acquire whose reply nobody gets, also if the acquire arrives later than the cancellation.
pub fn cancel(redis: &mut Redis, env: &Env, call: &Cancel) -> Reply {
    redis.expire(env.now_ms());
    let id = call.id;
    let mut record = redis.requests.get(&call.request).cloned().unwrap_or(Record::new(Outcome::Cancelled));

    // The attempts that were told of the grant and not cancelled.
    let mut relying = record.told.clone();
    let granted = match record.outcome {
        Outcome::Acquired { id, .. } => {
            relying.insert(id);
            id
        }
        _ => id,
    };
    relying.retain(|other| !record.cancelled.contains(other) && *other != id);
    record.cancelled.insert(id);
    record.told.remove(&id);

    group::open(redis, env);
    group::leave_queue(redis, id);
    let relied = !relying.is_empty() && !env.makes(Mistake::CancelIgnoresCopies);
    let released = !relied && redis.holds(granted);
    if released {
        redis.lock = None;
        group::remove(redis, granted);
    }
    let was_acquired = matches!(record.outcome, Outcome::Acquired { .. });
    if was_acquired && !relied {
        record.outcome = Outcome::Cancelled;
        record.told.clear();
    }
    if !env.makes(Mistake::CancelLeavesNoMark) {
        redis.requests.insert(call.request, record);
    }
    let turn = match (&redis.lock, &redis.group) {
        (Some(_), _) => 0,
        (_, Some(_)) if env.makes(Mistake::LeaveCallsNobody) && !released => 0,
        (_, Some(_)) => group::changed(redis, env),
        (None, None) => shared::wake(redis, env),
    };
    if released {
        Reply::CancelReleased { turn }
    } else if relied && was_acquired && granted == id {
        Reply::Kept { turn }
    } else {
        Reply::Marked { turn }
    }
}

//! `lua/try.lua` and `lua/claim.lua`, which differ by what the attempt knows of when it joined the queue, and
//! `lua/lib/acquire.lua`.

use std::collections::BTreeSet;

use super::{Env, Reply, grace, shared};
use crate::{
    Mistake,
    redis::{Fingerprint, Id, Lock, Ms, Name, Outcome, Place, Record, Redis, SETS, Share, Token, Told, Us},
};

/// What an attempt knows of when it joined the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arrived {
    /// It has not joined: `try`.
    Not,
    /// The reply that would tell was lost: `claim` without a time.
    Unknown,
    /// It joined at this time.
    At(Us),
}

/// The arguments.
#[derive(Clone, Debug)]
pub struct Acquire {
    /// The id of the attempt.
    pub id: Id,
    /// The token that the lock gets.
    pub token: Token,
    /// The length of the lease.
    pub lease: Ms,
    /// The name under which the request is remembered.
    pub request: Name,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub fingerprint: Option<Fingerprint>,
    /// Whether to wait.
    pub wait: bool,
    /// The channel of the replica of Gorilla.
    pub channel: u8,
    /// When this attempt arrived in the queue.
    pub arrived: Arrived,
    /// What it wants, if it doesn't want the lock alone: only for `join`.
    pub share: Option<Share>,
}

/// What a script finds out about a request: `req` in `lua/lib/acquire.lua`.
pub(super) struct Asked {
    /// The attempt whose place the record names.
    pub named: Id,
    /// When it joined the queue, if it did.
    pub arrived: Option<Us>,
    /// The attempts that were cancelled.
    pub cancelled: BTreeSet<Id>,
}

/// What prevents a grant.
#[derive(Clone, Copy)]
pub(super) enum Block {
    /// One client holds the lock.
    Holder { left: Ms, fence: u64 },
    /// A group holds it. `is_reserved`: there would be room for the request, and earlier ones wait.
    Group { left: Ms, floor: u64, is_reserved: bool },
    /// Redis may have lost a grant.
    Recovering { left: Ms },
    /// An earlier waiter has the turn.
    Turn { left: Ms },
}

impl Acquire {
    /// Whether the attempt has asked before.
    pub fn is_again(&self) -> bool {
        self.arrived != Arrived::Not
    }

    pub(super) fn note(&self, redis: &mut Redis, asked: &Asked, outcome: impl FnOnce(Fingerprint) -> Outcome) {
        let Some(fingerprint) = self.fingerprint else { return };
        let mut record = Record::new(outcome(fingerprint));
        record.cancelled = asked.cancelled.clone();
        redis.requests.insert(self.request, record);
    }
}

/// Grants the lock if nobody holds it and no earlier request waits for it; otherwise queues, if asked to.
pub fn acquire(redis: &mut Redis, env: &Env, call: &Acquire) -> Reply {
    redis.expire(env.now_ms());
    let asked = match remembered(redis, env, call) {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    if redis.group.is_some() {
        return Reply::Shared;
    }
    let (block, others_wait) = blocks(redis, env, &asked);
    let Some(block) = block else { return granted(redis, env, call, &asked, others_wait) };
    if call.wait {
        return queued(redis, env, call, &asked, block);
    }
    let reply = refused(redis, env, &asked, block);
    if call.is_again() {
        redis.queue.retain(|place| place.id != call.id);
        keep_place(redis, call, &asked);
    }
    reply
}

/// `acquire_remembered`: what the record of the request tells, or the reply that it decides.
pub(super) fn remembered(redis: &mut Redis, env: &Env, call: &Acquire) -> Result<Asked, Reply> {
    let (id, now) = (call.id, env.now_ms());
    let arrived = if let Arrived::At(when) = call.arrived { Some(when) } else { None };
    let mut asked = Asked { named: id, arrived, cancelled: BTreeSet::new() };
    let recovery = grace::recovery(redis, env);
    let holds = |redis: &Redis, id| redis.holds(id);
    let Some(record) = redis.requests.get(&call.request) else { return Ok(asked) };
    if env.makes(Mistake::ReplayGrantsAgain) && matches!(record.outcome, Outcome::Acquired { .. }) {
        return Ok(asked);
    }
    if record.cancelled.contains(&id) {
        return Err(Reply::Cancelled);
    }
    asked.cancelled = record.cancelled.clone();
    let reused = record.fingerprint() != call.fingerprint;
    match record.outcome {
        Outcome::Cancelled => {}
        _ if reused => return Err(Reply::Reused),
        Outcome::Waiting { place, .. } => {
            if place.id != id {
                if call.is_again() && call.wait {
                    return Err(Reply::Superseded);
                }
                asked.named = place.id;
            }
            asked.arrived = Some(place.arrived);
        }
        // A part has ended, and its set was not answered yet: it is decided anew.
        Outcome::Acquired { id: holder, ends: Some(0), .. } if !holds(redis, holder) => {}
        Outcome::Acquired { id: holder, token, fence, created, ends, .. } => {
            let ttl = match ends {
                None => (created + call.lease).saturating_sub(now),
                // Nobody was told of a lease yet.
                Some(0) => call.lease,
                Some(ends) => ends.saturating_sub(now),
            };
            if ttl == 0 || !holds(redis, holder) {
                return Err(Reply::Gone);
            }
            // Another client may have been granted the lock since, in the data that was lost.
            let left = if env.grace.is_some_and(|grace| grace.for_replays) { recovery } else { 0 };
            if left > 0 {
                return Err(Reply::Unsettled { left });
            }
            if let Some(record) = redis.requests.get_mut(&call.request) {
                record.told.insert(id);
            }
            return Err(Reply::Replayed { fence, created, id: holder, token, ttl });
        }
        Outcome::Extended { .. } | Outcome::Released { .. } | Outcome::Broken { .. } => {
            unreachable!("a fingerprint belongs to one operation")
        }
    }
    Ok(asked)
}

/// `acquire_blocks`: what prevents a grant of a lock that no group holds, and whether others wait behind the request.
pub(super) fn blocks(redis: &mut Redis, env: &Env, asked: &Asked) -> (Option<Block>, bool) {
    if let Some(lock) = redis.lock.as_ref().filter(|_| !env.makes(Mistake::AcquireIgnoresHolder)) {
        return (Some(Block::Holder { left: lock.expires - env.now_ms(), fence: lock.fence }), false);
    }
    let left = if redis.lock.is_none() { grace::recovery(redis, env) } else { 0 };
    if left > 0 {
        redis.turn = None;
        return (Some(Block::Recovering { left }), false);
    }
    let Some((head, left)) = shared::first(redis, env) else { return (None, false) };
    if asked.arrived.is_some_and(|arrived| arrived <= head.arrived) || env.makes(Mistake::QueueLetsIn) {
        return (None, true);
    }
    let left = left.unwrap_or_else(|| shared::wake(redis, env));
    (Some(Block::Turn { left }), true)
}

/// The `ends` of the record of a grant: one of a part of a set waits for the commit.
pub(super) fn uncommitted(fingerprint: Fingerprint) -> Option<Ms> {
    (fingerprint >= SETS).then_some(0)
}

/// `acquire_granted`: grants the lock to a request that has it alone.
pub(super) fn granted(redis: &mut Redis, env: &Env, call: &Acquire, asked: &Asked, others_wait: bool) -> Reply {
    if others_wait {
        redis.queue.retain(|place| place.id != call.id && place.id != asked.named);
        redis.turn = None;
    }
    let (id, token, created) = (call.id, call.token, env.now_ms());
    let fence = shared::next_fence(redis, env);
    let (updated, expires) = (Told(created), created + call.lease);
    redis.lock = Some(Lock { id, owner: id, token, fence, created, updated, expires });
    call.note(redis, asked, |fingerprint| Outcome::Acquired {
        fingerprint,
        id,
        token,
        fence,
        created,
        ends: uncommitted(fingerprint),
    });
    Reply::Granted { fence, created }
}

/// `acquire_refused`: the refusal of a request that doesn't wait, or whose wait is over.
pub(super) fn refused(redis: &Redis, env: &Env, asked: &Asked, block: Block) -> Reply {
    let position = redis.queue.iter().position(|place| place.id == asked.named).map_or(0, |rank| rank + 1);
    let waiting = redis.queue.len();
    if let Block::Recovering { left } = block {
        return Reply::Recovering { left, waiting, position };
    }
    if let Block::Group { is_reserved: true, .. } = block {
        return Reply::Reserved { waiting, position };
    }
    match (&redis.lock, &redis.group) {
        (Some(lock), _) => {
            let (owner, fence, ttl) = (lock.owner, lock.fence, lock.expires - env.now_ms());
            Reply::Held { owner, fence, ttl, waiting, position }
        }
        (_, Some(group)) => {
            let (owner, fence, ttl) = shared::last_of(group, env);
            let crowd = shared::crowd(group, env);
            Reply::Crowd { owner, fence, ttl, waiting, position, crowd }
        }
        (None, None) => Reply::Reserved { waiting, position },
    }
}

/// With an Idempotency-Key the record keeps the place of a request whose wait is over.
pub(super) fn keep_place(redis: &mut Redis, call: &Acquire, asked: &Asked) {
    let (id, channel, share) = (call.id, call.channel, call.share);
    if let Some(arrived) = asked.arrived.filter(|_| asked.named == id) {
        let place = Place { arrived, id, channel, share };
        call.note(redis, asked, |fingerprint| Outcome::Waiting { fingerprint, place });
    }
}

/// `acquire_queued`: gives the request a place in the queue, unless it has one.
pub(super) fn queued(redis: &mut Redis, env: &Env, call: &Acquire, asked: &Asked, block: Block) -> Reply {
    let (id, channel, share) = (call.id, call.channel, call.share);
    let own = redis.queue.iter().find(|place| place.id == id).map(|place| place.arrived);
    let arrived = match own.or(asked.arrived) {
        Some(arrived) => arrived,
        None if redis.queue.len() >= env.room => return Reply::Full { waiting: redis.queue.len() },
        None => redis.queue.last().map_or(env.now, |last| env.now.max(last.arrived + 1)),
    };
    if own.is_none() {
        if asked.named != id {
            redis.queue.retain(|place| place.id != asked.named);
        }
        let place = Place { arrived, id, channel, share };
        redis.queue.insert(place);
        call.note(redis, asked, |fingerprint| Outcome::Waiting { fingerprint, place });
    }
    let (fence, look_in) = match block {
        Block::Holder { left, fence } | Block::Group { left, floor: fence, .. } => (fence, left),
        Block::Recovering { left } | Block::Turn { left } => (0, left),
    };
    Reply::Queued { arrived, fence, look_in }
}

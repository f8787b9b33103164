//! The call of `lua/try.lua` and `lua/claim.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::{Call, pack_fields},
    grant::{Group, Holder, Part},
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `try` and `claim` are called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Acquire<'a> {
    /// The id of the attempt, and of the tenure that it begins.
    pub id: &'a str,
    /// The token that the lock gets.
    pub token: &'a str,
    /// A label for people.
    pub owner: &'a str,
    /// The metadata, a JSON list.
    pub metadata: &'a str,
    /// The length of the lease in milliseconds.
    pub lease: u64,
    /// The Idempotency-Key, which names the record, if there is one. Without one the id names the record.
    pub request: Option<&'a str>,
    /// The fingerprint of the request, only with an Idempotency-Key.
    pub print: Option<&'a str>,
    /// How long to wait from now in milliseconds, if at all.
    pub wait: Option<u64>,
    /// The channel whose messages reach this replica.
    pub channel: &'a str,
    /// What is special about it, if anything.
    pub rank: Option<Rank<'a>>,
    /// The identity that takes the lock, if one is known.
    pub by: Option<&'a str>,
}

/// What is special about a request. The script gets it as a list.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rank<'a> {
    /// How many microseconds before its arrival it counts as having arrived.
    pub headstart: u64,
    /// If a later request with the same text joins the queue, this one is dismissed.
    pub replaces: Option<&'a str>,
    /// The key of the set of what its identity holds, if the identity may hold only so many locks.
    pub held: Option<&'a str>,
    /// How many locks it may hold.
    pub most: Option<u32>,
}

/// The first call of an attempt.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct Try<'a>(pub Acquire<'a>);

/// A later call of an attempt that waits.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Claim<'a> {
    /// As in the first call.
    pub asked: Acquire<'a>,
    /// When the attempt joined the queue, in microseconds since 1970, if that is known.
    pub arrived: Option<u64>,
}

/// What `try`, `claim` and `join` reply. Remaining times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are named as in the headers of the scripts")]
pub enum AcquireReply {
    /// The caller holds the lock from now on.
    Granted { fence: u64, created: i64 },
    /// The same Idempotency-Key was granted the lock before.
    Replayed { fence: u64, created: i64, id: String, token: String, ttl: u64 },
    /// The request waits in the queue. `fence` is that of the holder, if there is one.
    Queued { arrived: u64, fence: Option<u64>, look_in: u64 },
    /// A group holds the lock, nothing was changed, and `join` decides.
    Shared,
    /// The caller is in the group that shares the lock. Another waiter has the turn for so long, if there is one.
    Joined { fence: u64, created: i64, turn: Option<u64>, part: Part },
    /// The same Idempotency-Key joined the group before.
    Rejoined { fence: u64, created: i64, id: String, token: String, ttl: u64, part: Part },
    /// A group holds the lock. The holder is the one that ends last.
    Crowd { holder: Holder, waiting: u64, position: Option<u64>, group: Group },
    /// The request has named another limit than this, which is in force, or takes more permits.
    Limited { limit: Option<u32> },
    /// As many clients hold the lock as may.
    Crowded { holders: u64 },
    /// A copy of the request has its place in the queue now.
    Superseded,
    /// Somebody holds the lock.
    Held { holder: Holder, waiting: u64, position: Option<u64> },
    /// There would be room for the request, but earlier ones wait.
    Reserved { waiting: u64, position: Option<u64> },
    /// Redis may have lost a grant, so nobody is granted the lock now.
    Recovering { left: u64, waiting: u64, position: Option<u64> },
    /// The same Idempotency-Key was granted the lock before, but Redis may have lost the end of that grant.
    Unsettled { left: u64 },
    /// A later request with the same value of `replaces` has taken its place.
    Replaced,
    /// The queue has no more room.
    Full { waiting: u64 },
    /// The identity holds as many locks as it may.
    Over { held: u32 },
    /// The same Idempotency-Key was granted the lock before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came before with another request.
    Reused,
    /// The attempt was cancelled before it arrived.
    Cancelled,
}

impl AcquireReply {
    pub(super) fn read(outcome: &str, reader: &mut Reader) -> Result<Self, Malformed> {
        Ok(match outcome {
            "granted" => Self::Granted { fence: reader.number()?, created: reader.number()? },
            "replayed" => Self::Replayed {
                fence: reader.number()?,
                created: reader.number()?,
                id: reader.text()?,
                token: reader.text()?,
                ttl: reader.number()?,
            },
            "queued" => {
                Self::Queued { arrived: reader.number()?, fence: reader.some_number()?, look_in: reader.number()? }
            }
            "shared" => Self::Shared,
            "joined" => Self::Joined {
                fence: reader.number()?,
                created: reader.number()?,
                turn: reader.some_number()?,
                part: reader.part()?,
            },
            "rejoined" => Self::Rejoined {
                fence: reader.number()?,
                created: reader.number()?,
                id: reader.text()?,
                token: reader.text()?,
                ttl: reader.number()?,
                part: reader.part()?,
            },
            "crowd" => Self::Crowd {
                holder: reader.holder()?,
                waiting: reader.number()?,
                position: reader.some_number()?,
                group: reader.group()?,
            },
            "limited" => Self::Limited { limit: reader.limit()? },
            "crowded" => Self::Crowded { holders: reader.number()? },
            "superseded" => Self::Superseded,
            "held" => {
                Self::Held { holder: reader.holder()?, waiting: reader.number()?, position: reader.some_number()? }
            }
            "reserved" => Self::Reserved { waiting: reader.number()?, position: reader.some_number()? },
            "recovering" => {
                Self::Recovering { left: reader.number()?, waiting: reader.number()?, position: reader.some_number()? }
            }
            "unsettled" => Self::Unsettled { left: reader.number()? },
            "replaced" => Self::Replaced,
            "full" => Self::Full { waiting: reader.number()? },
            "over" => Self::Over { held: reader.number()? },
            "gone" => Self::Gone,
            "reused" => Self::Reused,
            "cancelled" => Self::Cancelled,
            other => return unexpected(other),
        })
    }

    pub(super) fn touches<'a>(asked: &Acquire<'a>) -> Vec<Sibling<'a>> {
        let replaces = asked.rank.and_then(|rank| rank.replaces).map(Sibling::Replaces);
        let others =
            [Sibling::Fence, Sibling::Queue, Sibling::Turn, Sibling::Request(asked.request.unwrap_or(asked.id))];
        others.into_iter().chain(replaces).collect()
    }
}

impl Call for Try<'_> {
    type Reply = AcquireReply;

    const NAME: &'static str = "try";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.try_acquire
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        AcquireReply::touches(&self.0)
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<AcquireReply, Malformed> {
        AcquireReply::read(outcome, reader)
    }
}

impl Call for Claim<'_> {
    type Reply = AcquireReply;

    const NAME: &'static str = "claim";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.claim
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        AcquireReply::touches(&self.asked)
    }

    fn pack(&self, into: &mut Vec<u8>) {
        pack_fields(&self.asked, into);
        pack_fields(&(self.arrived,), into);
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<AcquireReply, Malformed> {
        AcquireReply::read(outcome, reader)
    }
}

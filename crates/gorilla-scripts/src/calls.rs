//! Every script's arguments and replies. The header of the script in `lua/` says what each means.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    reply::{Malformed, Reader, unexpected},
    text::{Script, Scripts},
};

/// What a script is called with.
pub trait Call: Serialize {
    /// What it replies.
    type Reply;

    /// The name of its file in `lua/`, for people.
    const NAME: &'static str;

    /// Which script.
    fn script(scripts: &Scripts) -> &Arc<Script>;

    /// The keys beside the lock that the script touches.
    fn touches(&self) -> Vec<Sibling<'_>>;

    /// Reads what follows the name of the outcome.
    fn reply(outcome: &str, reader: &mut Reader) -> Result<Self::Reply, Malformed>;
}

/// What belongs to a lock, each at a key of its own beside that of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sibling<'a> {
    /// The last fence given, a string.
    Fence,
    /// Who waits, a sorted set.
    Queue,
    /// Whose turn it is to claim the lock, a string.
    Turn,
    /// What became of a request, a string. By an Idempotency-Key, or the id of an attempt.
    Request(&'a str),
}

impl Sibling<'_> {
    /// The key beside that of a lock.
    pub fn key(self, lock: &str) -> String {
        let stem = lock.strip_suffix("lock").unwrap_or(lock);
        match self {
            Self::Fence => format!("{stem}fence"),
            Self::Queue => format!("{stem}queue"),
            Self::Turn => format!("{stem}queue:turn"),
            Self::Request(name) => format!("{stem}request:{name}"),
        }
    }
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// A name for people.
    pub owner: String,
    /// Of the grant.
    pub fence: u64,
    /// What is left of the lease, in milliseconds.
    pub ttl: u64,
}

/// A grant, without its token. Times in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The same through all extends.
    pub id: String,
    /// A name for people.
    pub owner: String,
    /// JSON, as it was given.
    pub metadata: String,
    /// The number that orders grants.
    pub fence: u64,
    /// When it was granted.
    pub created: i64,
    /// When it was last extended.
    pub updated: i64,
    /// When its lease ends.
    pub expires: i64,
    /// What is left of the lease, in milliseconds.
    pub ttl: u64,
}

/// A grant with its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The right to it.
    pub token: String,
    /// All else.
    pub tenure: Tenure,
}

/// A grant that was ended by force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Of the tenure.
    pub id: String,
    /// Who held the lock.
    pub owner: String,
    /// Of the grant.
    pub fence: u64,
}

/// What `try` and `claim` are called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Acquire<'a> {
    /// Of the attempt, and of the tenure that it begins.
    pub id: &'a str,
    /// That the lock gets.
    pub token: &'a str,
    /// A name for people.
    pub owner: &'a str,
    /// A JSON list.
    pub metadata: &'a str,
    /// In milliseconds.
    pub lease: u64,
    /// The name of the record: the Idempotency-Key, or without one the id.
    pub request: &'a str,
    /// Of the request, only with an Idempotency-Key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<&'a str>,
    /// How long to wait from now in milliseconds, if at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u64>,
    /// That wakes this replica.
    pub channel: &'a str,
    /// Only for a claim: when the attempt joined the queue, in microseconds since 1970, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived: Option<u64>,
}

/// The first call of an attempt.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct Try<'a>(pub Acquire<'a>);

/// A later call of an attempt that waits.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct Claim<'a>(pub Acquire<'a>);

/// What `try` and `claim` reply. Times that are left are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are named as in the headers of the scripts")]
pub enum AcquireReply {
    /// The lock is the caller's from now on.
    Granted { fence: u64, created: i64 },
    /// It was granted before, to the same Idempotency-Key.
    Replayed { fence: u64, created: i64, id: String, token: String, ttl: u64 },
    /// It waits in the queue. `fence` is that of the holder, if there is one.
    Queued { arrived: u64, fence: Option<u64>, look_in: u64 },
    /// A copy waits in its place.
    Superseded,
    /// Somebody holds the lock.
    Held { holder: Holder, waiting: u64, position: Option<u64> },
    /// Nobody does, but others came before.
    Reserved { waiting: u64, position: Option<u64> },
    /// A grant may have been lost.
    Recovering { left: u64, waiting: u64, position: Option<u64> },
    /// It was granted before, unless it was lost how that grant ended.
    Unsettled { left: u64 },
    /// As many wait as may.
    Full { waiting: u64 },
    /// It was granted before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came with another request.
    Reused,
    /// It was cancelled before it arrived.
    Cancelled,
}

impl AcquireReply {
    fn read(outcome: &str, reader: &mut Reader) -> Result<Self, Malformed> {
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
            "superseded" => Self::Superseded,
            "held" => {
                Self::Held { holder: reader.holder()?, waiting: reader.number()?, position: reader.some_number()? }
            }
            "reserved" => Self::Reserved { waiting: reader.number()?, position: reader.some_number()? },
            "recovering" => {
                Self::Recovering { left: reader.number()?, waiting: reader.number()?, position: reader.some_number()? }
            }
            "unsettled" => Self::Unsettled { left: reader.number()? },
            "full" => Self::Full { waiting: reader.number()? },
            "gone" => Self::Gone,
            "reused" => Self::Reused,
            "cancelled" => Self::Cancelled,
            other => return unexpected(other),
        })
    }

    fn touches(request: &str) -> Vec<Sibling<'_>> {
        vec![Sibling::Fence, Sibling::Queue, Sibling::Turn, Sibling::Request(request)]
    }
}

impl Call for Try<'_> {
    type Reply = AcquireReply;

    const NAME: &'static str = "try";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.try_acquire
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        AcquireReply::touches(self.0.request)
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
        AcquireReply::touches(self.0.request)
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<AcquireReply, Malformed> {
        AcquireReply::read(outcome, reader)
    }
}

/// What `extend` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Extend<'a> {
    /// The current one.
    pub token: &'a str,
    /// That replaces it.
    pub new_token: &'a str,
    /// In milliseconds.
    pub lease: u64,
    /// The Idempotency-Key, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<&'a str>,
    /// Of the request, only with an Idempotency-Key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<&'a str>,
}

/// What `extend` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendReply {
    /// The lease is renewed.
    Extended(Grant),
    /// It was renewed before, by the same Idempotency-Key.
    Replayed(Grant),
    /// Nobody holds the lock.
    Missing,
    /// It is held under another token.
    Mismatch(Holder),
    /// The lease asked for would end before the present one, which lasts for so many milliseconds more.
    Shorter {
        /// In milliseconds.
        ttl: u64,
    },
    /// It was renewed before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came with another request.
    Reused,
}

impl Call for Extend<'_> {
    type Reply = ExtendReply;

    const NAME: &'static str = "extend";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.extend
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        [Sibling::Fence].into_iter().chain(self.request.map(Sibling::Request)).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ExtendReply, Malformed> {
        let grant = |reader: &mut Reader| Ok(Grant { token: reader.text()?, tenure: reader.tenure()? });
        Ok(match outcome {
            "extended" => ExtendReply::Extended(grant(reader)?),
            "replayed" => ExtendReply::Replayed(grant(reader)?),
            "missing" => ExtendReply::Missing,
            "mismatch" => ExtendReply::Mismatch(reader.holder()?),
            "shorter" => ExtendReply::Shorter { ttl: reader.number()? },
            "gone" => ExtendReply::Gone,
            "reused" => ExtendReply::Reused,
            other => return unexpected(other),
        })
    }
}

/// What `release` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Release<'a> {
    /// The current one.
    pub token: &'a str,
    /// The Idempotency-Key, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<&'a str>,
    /// Of the request, only with an Idempotency-Key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<&'a str>,
}

/// What `release` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseReply {
    /// The lock is free. The next waiter has the turn for so many milliseconds, if there is one.
    Released {
        /// In milliseconds.
        turn: Option<u64>,
    },
    /// It was released before, by the same Idempotency-Key.
    Replayed,
    /// Nobody holds the lock.
    Missing,
    /// It is held under another token.
    Mismatch,
    /// The Idempotency-Key came with another request.
    Reused,
}

impl Call for Release<'_> {
    type Reply = ReleaseReply;

    const NAME: &'static str = "release";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.release
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        [Sibling::Queue, Sibling::Turn].into_iter().chain(self.request.map(Sibling::Request)).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<ReleaseReply, Malformed> {
        Ok(match outcome {
            "released" => ReleaseReply::Released { turn: reader.some_number()? },
            "replayed" => ReleaseReply::Replayed,
            "missing" => ReleaseReply::Missing,
            "mismatch" => ReleaseReply::Mismatch,
            "reused" => ReleaseReply::Reused,
            other => return unexpected(other),
        })
    }
}

/// What `break` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Break<'a> {
    /// Of the grant to end, if only that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<&'a str>,
    /// The Idempotency-Key, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<&'a str>,
    /// Of the request, only with an Idempotency-Key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<&'a str>,
}

/// What `break` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakReply {
    /// The lock is free.
    Broken {
        /// What was ended.
        ended: Ended,
        /// For how long the next waiter has the turn, in milliseconds, if there is one.
        turn: Option<u64>,
    },
    /// It was broken before, by the same Idempotency-Key.
    Replayed(Ended),
    /// Nobody holds the lock.
    Missing,
    /// It is held by another grant than the one named.
    Changed(Holder),
    /// The Idempotency-Key came with another request.
    Reused,
}

impl Call for Break<'_> {
    type Reply = BreakReply;

    const NAME: &'static str = "break";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.break_lock
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        [Sibling::Queue, Sibling::Turn].into_iter().chain(self.request.map(Sibling::Request)).collect()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<BreakReply, Malformed> {
        let ended =
            |reader: &mut Reader| Ok(Ended { id: reader.text()?, owner: reader.text()?, fence: reader.number()? });
        Ok(match outcome {
            "broken" => BreakReply::Broken { ended: ended(reader)?, turn: reader.some_number()? },
            "replayed" => BreakReply::Replayed(ended(reader)?),
            "missing" => BreakReply::Missing,
            "changed" => BreakReply::Changed(reader.holder()?),
            "reused" => BreakReply::Reused,
            other => return unexpected(other),
        })
    }
}

/// What `cancel` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cancel<'a> {
    /// Of the attempt.
    pub id: &'a str,
    /// As the acquire had it.
    pub owner: &'a str,
    /// Of its replica.
    pub channel: &'a str,
    /// The name of the record that the acquire used.
    pub request: &'a str,
}

/// What `cancel` replies, with the milliseconds for which the next waiter has the turn, if one was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the field is that of all three")]
pub enum CancelReply {
    /// The acquire had been executed; its lock is free again.
    Released { turn: Option<u64> },
    /// It had not, or had queued; should it arrive within the window, it is refused.
    Marked { turn: Option<u64> },
    /// It had been, and a copy was answered, whose client holds the lock.
    Kept { turn: Option<u64> },
}

impl Call for Cancel<'_> {
    type Reply = CancelReply;

    const NAME: &'static str = "cancel";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.cancel
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue, Sibling::Turn, Sibling::Request(self.request)]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<CancelReply, Malformed> {
        let turn = reader.some_number()?;
        Ok(match outcome {
            "released" => CancelReply::Released { turn },
            "marked" => CancelReply::Marked { turn },
            "kept" => CancelReply::Kept { turn },
            other => return unexpected(other),
        })
    }
}

/// What `wake` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Wake {}

impl Call for Wake {
    /// For how long the next waiter has the turn, in milliseconds, if there is one.
    type Reply = Option<u64>;

    const NAME: &'static str = "wake";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.wake
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue, Sibling::Turn]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<Option<u64>, Malformed> {
        match outcome {
            "woken" => reader.some_number(),
            other => unexpected(other),
        }
    }
}

/// What `inspect` is called with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Inspect<'a> {
    /// To compare with the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a str>,
}

/// What `inspect` replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InspectReply {
    /// Somebody holds the lock.
    Held {
        /// Whether the token is the current one.
        own: bool,
        /// The grant.
        tenure: Tenure,
        /// How many wait.
        waiting: u64,
    },
    /// Nobody does.
    Free {
        /// How many wait.
        waiting: u64,
    },
}

impl Call for Inspect<'_> {
    type Reply = InspectReply;

    const NAME: &'static str = "inspect";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.inspect
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        vec![Sibling::Queue]
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<InspectReply, Malformed> {
        match outcome {
            "held" => {
                let own = reader.number::<u8>()? == 1;
                Ok(InspectReply::Held { own, tenure: reader.tenure()?, waiting: reader.number()? })
            }
            "free" => Ok(InspectReply::Free { waiting: reader.number()? }),
            other => unexpected(other),
        }
    }
}

/// What `confirm` is called with. The key that it writes to stands behind the lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Confirm<'a> {
    /// Of the lock.
    pub field: &'a str,
    /// Of the field.
    pub value: &'a str,
    /// Whether the operation gave the field that value, or took it away.
    pub given: bool,
}

/// What `confirm` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmReply {
    /// The server has the effect.
    There,
    /// It doesn't.
    Lost,
}

impl Call for Confirm<'_> {
    type Reply = ConfirmReply;

    const NAME: &'static str = "confirm";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.confirm
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, _: &mut Reader) -> Result<ConfirmReply, Malformed> {
        match outcome {
            "there" => Ok(ConfirmReply::There),
            "lost" => Ok(ConfirmReply::Lost),
            other => unexpected(other),
        }
    }
}

/// What `settle` is called with. The key of the incarnation stands in the place of a lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Settle {}

/// What `settle` replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// How long grants wait, in milliseconds.
    pub left: u64,
    /// Whether the incarnation was seen for the first time.
    pub is_new: bool,
}

impl Call for Settle {
    type Reply = Settled;

    const NAME: &'static str = "settle";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.settle
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, reader: &mut Reader) -> Result<Settled, Malformed> {
        match outcome {
            "settled" => Ok(Settled { left: reader.number()?, is_new: reader.number::<u8>()? == 1 }),
            other => unexpected(other),
        }
    }
}

/// What `ready` is called with. It is about no lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ready {}

impl Call for Ready {
    type Reply = ();

    const NAME: &'static str = "ready";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.ready
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, _: &mut Reader) -> Result<(), Malformed> {
        if outcome == "ready" { Ok(()) } else { unexpected(outcome) }
    }
}

//! What happens to locks, as listeners are told of it.

mod cursor;

use chrono::{DateTime, Utc};

pub use cursor::{Cursor, EntryId, Epoch, NoCursor};

use crate::{Metadata, ResourceName};

/// What happened to a lock. Never has a token. Its times are by the clock of the store.
#[derive(Clone, Debug)]
pub struct Event {
    /// Which lock.
    pub resource: ResourceName,
    /// The holder; with `Queued` and `Left` the label of the request that waits.
    pub owner: String,
    /// The fence of the grant; `None` with `Queued` and `Left`.
    pub fence: Option<u64>,
    /// The id of the tenure, a UUID; `None` with `Queued` and `Left`, which have a place.
    pub id: Option<String>,
    /// When it happened, to the millisecond.
    pub at: DateTime<Utc>,
    /// What happened.
    pub change: Change,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A client was granted the lock.
    Granted {
        /// When the lease ends.
        expire_at: DateTime<Utc>,
        /// For how many milliseconds the request waited in the queue, if it did.
        waited_ms: Option<u64>,
        /// The last fence before, if the store knows it.
        previous_fence: Option<u64>,
        /// The metadata; `None` if they are longer than `Event::LONGEST_METADATA`.
        metadata: Option<Metadata>,
        /// How many permits the holder has, if it shares the lock.
        permits: Option<u32>,
        /// The name of the identity that took it, if there is one.
        by: Option<String>,
    },
    /// The end of the lease has moved: the holder has extended it; or its end is settled, and earlier than before.
    Extended {
        /// When the lease ends now.
        expire_at: DateTime<Utc>,
    },
    /// The holder has released the lock.
    Released {
        /// For how many milliseconds it held the lock, if that is known.
        held_ms: Option<u64>,
    },
    /// The lease has ended.
    Expired {
        /// When it ended.
        expired_at: DateTime<Utc>,
        /// For how many milliseconds the lock was held, if that is known.
        held_ms: Option<u64>,
    },
    /// Somebody broke the lock.
    Broken {
        /// For how many milliseconds it was held, if that is known.
        held_ms: Option<u64>,
        /// The name of the identity that broke it, if there is one.
        by: Option<String>,
        /// Why, if somebody said so.
        reason: Option<String>,
    },
    /// A grant was taken back that its client never learned of.
    Undone {
        /// Why.
        cause: UndoneCause,
    },
    /// A request began to wait, or came back to its position.
    Queued {
        /// The id of its place.
        place: String,
        /// Its position, from 1.
        position: u64,
        /// How many requests wait now.
        waiting: u64,
        /// The fence of the holder, if somebody holds the lock.
        holder_fence: Option<u64>,
    },
    /// A request waits no more, and was not granted the lock.
    Left {
        /// The id of its place.
        place: String,
        /// For how many milliseconds it has waited.
        waited_ms: u64,
        /// Why.
        cause: LeftCause,
    },
}

/// Why a grant was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoneCause {
    /// The replica never got the reply of Redis.
    UnknownOutcome,
    /// The client hung up.
    HungUp,
    /// Too few replicas of Redis confirmed the grant.
    NotReplicated,
    /// The set of locks that it was a part of did not come together.
    Incomplete,
}

/// Why a request waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftCause {
    /// Its wait was over.
    Timeout,
    /// Its client hung up.
    HungUp,
    /// Its replica did not answer any more.
    ReplicaLost,
    /// A copy has taken its place, or a later request with the same value of `replaces`.
    Superseded,
    /// It was refused: because of a limit or a quota, or because its replica lost sight of its outcome.
    Refused,
}

/// The types of events. The last two are about an election, and follow from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "Change says what they are")]
pub enum EventType {
    Granted,
    Extended,
    Released,
    Expired,
    Broken,
    Undone,
    Queued,
    Left,
    Leader,
    Vacant,
}

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The store keeps the newest entries only.
    Trimmed,
    /// The store lost them: it was restarted or flushed.
    Restarted,
    /// Another server took over from the master, and may lack the last entries.
    Failover,
    /// The listener, or its replica, could not keep up.
    Slow,
    /// Nothing was recorded meanwhile.
    NotRecorded,
}

impl Event {
    /// The longest metadata that an event has, in bytes.
    pub const LONGEST_METADATA: usize = 256;

    /// The type.
    pub fn kind(&self) -> EventType {
        match self.change {
            Change::Granted { .. } => EventType::Granted,
            Change::Extended { .. } => EventType::Extended,
            Change::Released { .. } => EventType::Released,
            Change::Expired { .. } => EventType::Expired,
            Change::Broken { .. } => EventType::Broken,
            Change::Undone { .. } => EventType::Undone,
            Change::Queued { .. } => EventType::Queued,
            Change::Left { .. } => EventType::Left,
        }
    }
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Granted,
        Self::Extended,
        Self::Released,
        Self::Expired,
        Self::Broken,
        Self::Undone,
        Self::Queued,
        Self::Left,
        Self::Leader,
        Self::Vacant,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Extended => "extended",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Broken => "broken",
            Self::Undone => "undone",
            Self::Queued => "queued",
            Self::Left => "left",
            Self::Leader => "leader",
            Self::Vacant => "vacant",
        }
    }

    /// The type with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether a grant ends with it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Released | Self::Expired | Self::Broken | Self::Undone)
    }
}

impl UndoneCause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::UnknownOutcome, Self::HungUp, Self::NotReplicated, Self::Incomplete];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownOutcome => "unknown_outcome",
            Self::HungUp => "hung_up",
            Self::NotReplicated => "not_replicated",
            Self::Incomplete => "incomplete",
        }
    }
}

impl LeftCause {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Timeout, Self::HungUp, Self::ReplicaLost, Self::Superseded, Self::Refused];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::HungUp => "hung_up",
            Self::ReplicaLost => "replica_lost",
            Self::Superseded => "superseded",
            Self::Refused => "refused",
        }
    }
}

impl Missed {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Trimmed, Self::Restarted, Self::Failover, Self::Slow, Self::NotRecorded];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::Restarted => "restarted",
            Self::Failover => "failover",
            Self::Slow => "slow",
            Self::NotRecorded => "not_recorded",
        }
    }
}

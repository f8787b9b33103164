//! Who holds a lock, and under which grant.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{Group, Metadata, Owner, Part, Token};

/// One grant of a lock, from its acquire through its extends. Its times are by the clock of the store.
#[derive(Clone, Debug)]
pub struct Tenure {
    /// UUIDv7, the same from the acquire to the end.
    pub id: String,
    /// Who holds the lock.
    pub owner: String,
    /// What the holder says about it.
    pub metadata: Metadata,
    /// The fencing token: larger than that of every earlier grant of the resource, below 2^53.
    pub fence: u64,
    /// When the lock was granted, to the millisecond.
    pub created: DateTime<Utc>,
    /// When the lease was last extended, or granted, to the millisecond.
    pub updated: DateTime<Utc>,
    /// When the lease ends unless it is extended, to the millisecond.
    pub expires: DateTime<Utc>,
    /// The time left of the lease, in whole milliseconds.
    pub ttl: Duration,
}

/// A tenure with its token, for the holder.
#[derive(Clone, Debug)]
pub struct Lock {
    /// The grant.
    pub tenure: Tenure,
    /// The right to extend and release.
    pub token: Token,
    /// What the holder has of a shared lock; `None` if it is the only holder.
    pub part: Option<Part>,
    /// How long the acquire waited for it, if it did.
    pub waited: Option<Duration>,
}

/// The holder of a lock, as other clients are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The label of the holder.
    pub owner: String,
    /// The fencing token of the grant.
    pub fence: u64,
    /// The time left of its lease.
    pub ttl: Duration,
}

/// The grant that a break ended or is about to end.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The id of the tenure.
    pub id: String,
    /// Who held the lock.
    pub owner: String,
    /// The fencing token of the grant.
    pub fence: u64,
    /// With a break that has a grace: how long the grant lasts; zero if it has ended.
    pub left: Option<Duration>,
}

/// A break of a grant, as the holder is told of it whose grant it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastBreak {
    /// When, by the clock of the store.
    pub at: DateTime<Utc>,
    /// The name of the identity that did it, if there is one.
    pub by: Option<String>,
    /// Why, if somebody said so.
    pub reason: Option<String>,
}

/// One of the holders of a shared lock.
#[derive(Clone, Debug)]
pub struct Member {
    /// The grant.
    pub tenure: Tenure,
    /// How many permits it has.
    pub permits: u32,
    /// Whether somebody breaks the grant, and has left its holder a grace.
    pub breaking: bool,
    /// The name of the identity that took its part, where it is known and may be told.
    pub by: Option<String>,
}

/// What is known of a resource.
#[derive(Clone, Debug)]
pub enum State {
    /// Somebody holds the lock.
    Held {
        /// The grant.
        tenure: Tenure,
        /// How many requests wait.
        waiting: u64,
        /// Whether somebody breaks the lock, and has left its holder a grace.
        breaking: bool,
        /// How often the holder has extended its lease.
        renewals: u64,
        /// The name of the identity that took the lock, where it is known and may be told.
        by: Option<String>,
    },
    /// A group shares the lock.
    Shared {
        /// The group.
        group: Group,
        /// Holders, those first that end last; not more than were asked for.
        holders: Vec<Member>,
        /// How many requests wait.
        waiting: u64,
    },
    /// Nobody holds the lock.
    Free {
        /// How many requests wait.
        waiting: u64,
    },
}

impl State {
    /// The same for whoever may not know which identities took the lock.
    pub fn without_takers(mut self) -> Self {
        match &mut self {
            Self::Held { by, .. } => *by = None,
            Self::Shared { holders, .. } => holders.iter_mut().for_each(|member| member.by = None),
            Self::Free { .. } => {}
        }
        self
    }

    /// The same for whoever asks only for holders with this label: of a group they alone are kept. `None` if nobody with
    /// this label holds the lock.
    pub fn held_by(self, owner: &Owner) -> Option<Self> {
        match self {
            Self::Held { ref tenure, .. } => (tenure.owner == owner.as_str()).then_some(self),
            Self::Shared { group, mut holders, waiting } => {
                holders.retain(|member| member.tenure.owner == owner.as_str());
                (!holders.is_empty()).then_some(Self::Shared { group, holders, waiting })
            }
            Self::Free { .. } => None,
        }
    }
}

/// What the holder of a token is told of a resource.
#[derive(Clone, Debug)]
pub enum Status {
    /// The token is that of this lock, which this identity took, where it is known.
    Own(Lock, Option<String>),
    /// The resource is held under other tokens.
    Other,
    /// Nobody holds the resource.
    Free,
    /// The same, where somebody broke the grant of the token.
    AfterBreak(Box<Status>, PastBreak),
}

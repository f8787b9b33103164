//! How an operation can end. Expected ends are values; the reason why an operation has no outcome is a
//! [`Failure`](crate::Failure).

use std::{num::NonZeroU64, time::Duration};

use crate::{Ended, Group, Holder, Lock, PastBreak};

/// What keeps an acquire from the lock.
#[derive(Clone, Debug)]
pub enum Blocker {
    /// Somebody holds the lock.
    Holder(Holder),
    /// A group shares the lock. The holder is the one that ends last.
    Group(Holder, Group),
    /// Nobody holds it, but requests that came before wait for it.
    Queue,
    /// The store may have lost who holds the lock, so nobody is granted it for this long.
    Recovery(Duration),
}

/// An acquire that was not granted the lock.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// What is in the way.
    pub by: Blocker,
    /// How many requests wait.
    pub waiting: u64,
    /// The place of this request among them, if it waited.
    pub position: Option<NonZeroU64>,
}

/// How an acquire ended.
#[derive(Clone, Debug)]
pub enum Acquired {
    /// The caller holds the lock.
    Granted(Lock),
    /// The same Idempotency-Key was granted the lock before, and the caller still holds it.
    Replayed(Lock),
    /// The caller does not hold it.
    Blocked(Blocked),
    /// The same Idempotency-Key was granted the lock before, but the store may have lost how that grant ended. It is
    /// certain after this long.
    Unsettled(Duration),
    /// As many requests wait as the settings allow.
    QueueFull {
        /// How many.
        waiting: u64,
    },
    /// Another limit than the request names is in force, or it takes more permits than that.
    LimitMismatch {
        /// The limit that is in force; `None` if there is none.
        limit: Option<u32>,
    },
    /// As many clients share the lock as the settings allow.
    TooManyHolders {
        /// How many.
        holders: u64,
    },
    /// A later request has taken the place of this one in the queue.
    Replaced,
    /// The replica is about to end, so the caller can't wait any longer.
    Dismissed,
    /// The caller holds as many locks as it may.
    QuotaReached {
        /// How many.
        held: u32,
    },
    /// The same Idempotency-Key took the lock before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came before with another request.
    KeyReused,
}

impl Acquired {
    /// Whether the caller holds the lock.
    pub fn is_grant(&self) -> bool {
        matches!(self, Self::Granted(_) | Self::Replayed(_))
    }
}

/// How an extend ended.
#[derive(Clone, Debug)]
pub enum Extended {
    /// The lease is renewed and the token replaced.
    Extended(Lock),
    /// The same Idempotency-Key renewed the lease before.
    Replayed(Lock),
    /// Nobody holds the lock.
    Missing,
    /// The lock is held under another token.
    TokenMismatch(Holder),
    /// The lock can't be converted, because the caller is not its only holder. The holder is the one that ends last.
    Crowd(Holder, Group),
    /// The lock can't be converted, because another limit is in force.
    LimitMismatch {
        /// The limit that is in force; `None` if there is none.
        limit: Option<u32>,
    },
    /// Somebody breaks the lock, and the holder may keep it for this time and no longer.
    Breaking {
        /// The time left.
        ttl: Duration,
    },
    /// The lease asked for would end before the current lease, of which this time is left.
    Shorter {
        /// The time left.
        ttl: Duration,
    },
    /// The lock can't be converted, because the store may have lost another grant, for this long.
    Recovering(Duration),
    /// The same Idempotency-Key converted the lock before, but the store may have lost how that grant ended. It is certain
    /// after this long.
    Unsettled(Duration),
    /// The same Idempotency-Key extended the lease before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came before with another request.
    KeyReused,
    /// Refused as said, and somebody has broken the grant of the token.
    AfterBreak(Box<Extended>, PastBreak),
}

impl Extended {
    /// Whether the caller has lost the lock, or is about to lose it.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Missing | Self::TokenMismatch(_) | Self::Breaking { .. } | Self::Gone)
    }
}

/// How a release ended.
#[derive(Clone, Debug)]
pub enum Released {
    /// The lock is free, or ends after the time that was asked for.
    Released,
    /// The same Idempotency-Key freed the lock before.
    Replayed,
    /// Nobody holds the lock.
    Missing,
    /// The lock is held under another token.
    TokenMismatch,
    /// The Idempotency-Key came before with another request.
    KeyReused,
    /// Refused as said, and somebody has broken the grant of the token.
    AfterBreak(Box<Released>, PastBreak),
}

impl Released {
    /// Whether the caller had lost the lock.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Missing | Self::TokenMismatch)
    }
}

/// How a break ended.
#[derive(Clone, Debug)]
pub enum Broken {
    /// The lock is free, or is about to be.
    Broken(Ended),
    /// The same Idempotency-Key broke the lock before.
    Replayed(Ended),
    /// Nobody holds the lock.
    Missing,
    /// The lock is held under another grant than the request names.
    Changed(Holder),
    /// A group shares the lock, and the request must name the fence of a holder.
    FenceRequired(Group),
    /// The Idempotency-Key came before with another request.
    KeyReused,
}

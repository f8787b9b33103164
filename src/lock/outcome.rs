//! How an operation can end. What is expected is a value; a [`Failure`] means that Redis can't serve, or that nobody
//! knows what happened.

use std::time::Duration;

use super::{Metadata, Token};

/// One grant of a lock, from its acquire through its extends. Times are milliseconds since 1970 on Redis's clock.
#[derive(Clone, Debug)]
pub struct Tenure {
    /// UUIDv7, the same from the acquire to the end.
    pub id: String,
    /// Who holds the lock.
    pub owner: String,
    /// What the holder says about it.
    pub metadata: Metadata,
    /// Larger than that of every earlier grant of the resource, below 2^53.
    pub fence: u64,
    /// When it was granted.
    pub created: i64,
    /// When it was last extended, or granted.
    pub updated: i64,
    /// When it ends unless it is extended.
    pub expires: i64,
    /// The time left, in milliseconds.
    pub ttl: u64,
}

/// A tenure with its token, for the holder.
#[derive(Clone, Debug)]
pub struct Lock {
    /// The facts.
    pub tenure: Tenure,
    /// The right to extend and release.
    pub token: Token,
}

/// Who is in the way.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Who holds the lock.
    pub owner: String,
    /// The fence of that grant.
    pub fence: u64,
    /// Until its lease ends, in milliseconds.
    pub ttl: u64,
}

/// How an acquire ended.
#[derive(Clone, Debug)]
pub enum Acquired {
    /// The caller holds the lock.
    Granted(Lock),
    /// The caller held it already, by the same Idempotency-Key.
    Replayed(Lock),
    /// Somebody else holds it.
    Held {
        /// Who.
        holder: Holder,
        /// How many wait.
        waiting: u64,
        /// Which of them the caller was, from 1; 0 if it did not wait.
        position: u64,
    },
    /// Nobody does, but others wait for it and come first.
    Reserved {
        /// How many wait.
        waiting: u64,
        /// Which of them the caller was, from 1; 0 if it did not wait.
        position: u64,
    },
    /// Whoever holds it may have been lost with the data of Redis, so nobody is granted it yet.
    Recovering {
        /// For how long, in milliseconds.
        left: u64,
        /// How many wait.
        waiting: u64,
        /// Which of them the caller was, from 1; 0 if it did not wait.
        position: u64,
    },
    /// The caller was granted it before, by the same Idempotency-Key; but how that grant ended may have been lost with the
    /// data of Redis.
    Unsettled {
        /// For how long, in milliseconds.
        left: u64,
    },
    /// As many wait as may.
    QueueFull {
        /// How many.
        waiting: u64,
    },
    /// The replica ends, so the caller waits no longer.
    Dismissed,
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
    /// It was already, by the same Idempotency-Key.
    Replayed(Lock),
    /// Nobody holds the lock.
    Missing,
    /// It is held under another token.
    TokenMismatch(Holder),
    /// The lease asked for would end before the present one.
    Shorter {
        /// The time left, in milliseconds.
        ttl: u64,
    },
    /// The same Idempotency-Key extended the lease before, and that lease has ended.
    Gone,
    /// The Idempotency-Key came before with another request.
    KeyReused,
}

/// How a release ended.
#[derive(Clone, Debug)]
pub enum Released {
    /// The lock is free.
    Released,
    /// It was freed before, by the same Idempotency-Key.
    Replayed,
    /// Nobody holds the lock.
    Missing,
    /// It is held under another token.
    TokenMismatch,
    /// The Idempotency-Key came before with another request.
    KeyReused,
}

/// The grant that a break ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its id.
    pub id: String,
    /// Who held it.
    pub owner: String,
    /// Its fence.
    pub fence: u64,
}

/// How a break ended.
#[derive(Clone, Debug)]
pub enum Broken {
    /// The lock is free.
    Broken(Ended),
    /// It was broken before, by the same Idempotency-Key.
    Replayed(Ended),
    /// Nobody holds the lock.
    Missing,
    /// It is held by another grant than the one named.
    Changed(Holder),
    /// The Idempotency-Key came before with another request.
    KeyReused,
}

/// What is known of a resource.
#[derive(Clone, Debug)]
pub enum State {
    /// Somebody holds the lock.
    Held {
        /// The grant.
        tenure: Tenure,
        /// Whether the token that was asked about is the current one.
        own: bool,
        /// How many wait.
        waiting: u64,
    },
    /// Nobody does.
    Free {
        /// How many wait.
        waiting: u64,
    },
}

/// Why there is no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no usable connection to Redis; nothing was sent. Says why.
    Unreachable(String),
    /// Redis refused before it executed anything. The first word of its error.
    Refused(String),
    /// As many commands wait for Redis as may.
    Overloaded,
    /// Executed, not confirmed by as many replicas of Redis as it must be, and undone.
    NotReplicated,
    /// Sent, and no reply came: it may have been executed, or be still. Says for how long or why.
    Unknown(String),
    /// Redis or the store behaves in a way that needs a person. Says how.
    Broken(String),
}

impl Failure {
    /// How long a client should wait before it asks again, where asking again can help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable(_) | Self::Refused(_) | Self::Overloaded | Self::NotReplicated => {
                Some(Duration::from_secs(1))
            }
            Self::Unknown(_) | Self::Broken(_) => None,
        }
    }
}

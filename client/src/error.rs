//! How a request can fail.

use std::{fmt, time::Duration};

/// Why there is no success. Each kind asks for another reaction of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else has the lock, also at the end of the wait. Nothing was done.
    NotAcquired(Busy),
    /// The lock was this holder's and is not any more, or not for sure.
    Lost(Lost),
    /// A request was sent, and in spite of all retries no answer tells what became of it. A lock that was taken ends with
    /// its lease at the latest.
    Unknown(String),
    /// The server can't be reached, or can't serve now. Nothing was done.
    Unavailable(String),
    /// The server refuses the request as it is: repeating it is of no use. Nothing was done.
    Refused {
        /// The stable code, from docs/reference/errors.md.
        code: String,
        /// The server's sentence.
        message: String,
    },
}

/// Who is in the way of an acquire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// Who holds the lock; nobody while it is about to be taken by the next in the queue.
    pub holder: Option<Holder>,
    /// How many requests wait for the lock.
    pub waiting: u64,
    /// The place of this request in the queue, from 1, where it has waited.
    pub position: Option<u64>,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// As it called itself.
    pub owner: String,
    /// Its fencing token.
    pub fence: u64,
    /// How long its lease lasts unless it is renewed.
    pub ttl: Duration,
}

/// Why a lock counts as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// The server says that it has ended: it was broken, or ran out, or the server's data are gone.
    Ended(String),
    /// The lease may run out before a renewal is confirmed. Why the last attempt failed, if there was one.
    Unconfirmed(Option<String>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAcquired(busy) => write!(f, "not acquired: {busy}"),
            Self::Lost(lost) => write!(f, "the lock is lost: {lost}"),
            Self::Unknown(why) => write!(f, "it is not known whether the request was executed: {why}"),
            Self::Unavailable(why) => f.write_str(why),
            Self::Refused { message, .. } => f.write_str(message.trim_end_matches('.')),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(f, "held by {:?} for another {:.1} s", holder.owner, holder.ttl.as_secs_f64())?,
            None => f.write_str("others are in front")?,
        }
        match self.position {
            Some(position) => write!(f, ", position {position} of {} in the queue", self.waiting.max(position)),
            None if self.waiting > 0 => write!(f, ", {} waiting", self.waiting),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(why) => f.write_str(why.trim_end_matches('.')),
            Self::Unconfirmed(Some(why)) => write!(f, "no renewal was confirmed in time ({why})"),
            Self::Unconfirmed(None) => f.write_str("no renewal was confirmed in time"),
        }
    }
}

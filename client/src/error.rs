//! The ways in which a request can fail.

use std::{fmt, time::Duration};

use crate::why::Why;

/// Why a request failed. The caller should react differently to each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Another client has the lock, also at the end of the wait. Nothing was done.
    NotAcquired(Box<Busy>),
    /// The client held the lock, and does not any more, or not for sure.
    Lost(Lost),
    /// The client sent a request, and in spite of all retries no answer tells what became of it. If the server granted
    /// a lock, the lock ends with its lease at the latest.
    Unknown(Why),
    /// The server can't be reached, or can't serve now. Nothing was done.
    Unavailable(Why),
    /// The server refuses the request, and would refuse it again. Nothing was done.
    Refused {
        /// The stable code, from docs/reference/errors.md.
        code: String,
        /// The sentence of the server.
        message: String,
        /// The field that breaks a rule, if the refusal is about one.
        field: Option<String>,
        /// The id under which the log of the server has the request. None if the client itself refuses.
        request_id: Option<String>,
    },
}

/// Why a lock could not be acquired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// The lock that could not be acquired, as the server calls it: one of several, if the request was for several.
    pub resource: Option<String>,
    /// The holder of the lock, and of a shared lock the holder that ends last. None while the next waiter in the queue is
    /// about to take it.
    pub holder: Option<Holder>,
    /// What the holders have together, if they share the lock.
    pub sharing: Option<Sharing>,
    /// How many requests wait for the lock.
    pub waiting: u64,
    /// The place of this request in the queue, from 1, if it has waited.
    pub position: Option<u64>,
    /// The id under which the log of the server has the request.
    pub request_id: Option<String>,
}

/// The holder of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The label that the holder gave itself.
    pub owner: String,
    /// The fencing token of its grant.
    pub fence: u64,
    /// How long the lease lasts unless the holder renews it.
    pub ttl: Duration,
}

/// What the holders of a shared lock have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sharing {
    /// How many permits they have.
    pub used: u64,
    /// How many permits they may have; None if there is no limit.
    pub limit: Option<u64>,
    /// How many clients hold the lock.
    pub holder_count: u64,
}

/// Why a lock counts as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// The server says that the grant has ended: a client broke the lock, or the lease ran out, or the server lost its
    /// data.
    Ended(Why),
    /// A client breaks the lock, and has left this client a grace, which is about to end. The server does not renew the
    /// lock any more.
    Breaking,
    /// The lock was held for as long as the caller allows.
    MaxHold,
    /// The lease may run out before the server confirms a renewal. Says why the last attempt failed, if there was one.
    Unconfirmed(Option<String>),
}

impl Error {
    /// A refusal of this client, which has not asked the server.
    pub(crate) fn refused(code: &str, message: String) -> Self {
        Self::Refused { code: code.into(), message, field: None, request_id: None }
    }

    /// The id under which the log of the server has the request: for the operators of the server. None where the server
    /// did not answer.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::NotAcquired(busy) => busy.request_id.as_deref(),
            Self::Lost(Lost::Ended(why)) | Self::Unknown(why) | Self::Unavailable(why) => why.request_id(),
            Self::Lost(_) => None,
            Self::Refused { request_id, .. } => request_id.as_deref(),
        }
    }
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
        match (&self.sharing, &self.holder) {
            (Some(sharing), _) => write!(f, "{sharing}")?,
            (None, Some(holder)) => {
                write!(f, "held by {:?} for another {:.1} s", holder.owner, holder.ttl.as_secs_f64())?
            }
            (None, None) => f.write_str("others are in front")?,
        }
        match self.position {
            Some(position) => write!(f, ", position {position} of {} in the queue", self.waiting.max(position)),
            None if self.waiting > 0 => write!(f, ", {} waiting", self.waiting),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, limit, holder_count } = self;
        let clients = if *holder_count == 1 { "client" } else { "clients" };
        match limit {
            Some(limit) => {
                let are = if *used == 1 { "is" } else { "are" };
                write!(f, "{used} of {limit} permits {are} taken by {holder_count} {clients}")
            }
            None => write!(f, "shared by {holder_count} {clients}"),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(why) => f.write_str(why.trim_end_matches('.')),
            Self::Breaking => f.write_str("somebody broke the lock, and the grace is over"),
            Self::MaxHold => f.write_str("it was held for as long as the caller allows"),
            Self::Unconfirmed(Some(why)) => write!(f, "no renewal was confirmed in time ({why})"),
            Self::Unconfirmed(None) => f.write_str("no renewal was confirmed in time"),
        }
    }
}

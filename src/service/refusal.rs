//! Why a use case did not come about.

use std::time::Duration;

use gorilla_domain::{Failure, ResourceName, Verb};

use crate::access::Reached;

/// Why a use case did not come about.
#[derive(Debug)]
pub enum Refusal {
    /// The caller may not do this. Boxed, because it is rare and long.
    Denied(Box<Denied>),
    /// The caller may take locks only for owners that begin with a prefix.
    Owner {
        /// Who it is.
        identity: String,
        /// What its owners must begin with.
        prefix: String,
    },
    /// The caller has reached a limit of its quota.
    Quota {
        /// Who it is.
        identity: String,
        /// Which limit.
        reached: Reached,
    },
    /// The caller asks for a longer time than its quota allows.
    TooLong {
        /// Who it is.
        identity: String,
        /// The field that asks for it.
        field: &'static str,
        /// The longest time.
        most: Duration,
    },
    /// The caller may hold only so many locks, and so may not convert one.
    NoConversion {
        /// Who it is.
        identity: String,
    },
    /// The caller was known when its request came, and is not any more.
    NotAnyMore,
    /// The replica has as many listeners as it may have.
    TooManyListeners,
    /// The settings switch events off.
    EventsOff,
    /// The replica is about to end.
    Draining,
    /// A record must be kept of this, and can't be.
    AuditUnavailable,
    /// The store has no outcome.
    Store(Failure),
}

/// What a caller may not do.
#[derive(Debug)]
pub struct Denied {
    /// Who it is.
    pub identity: String,
    /// What it asked to do.
    pub verb: Verb,
    /// With what, if the verb is about one resource.
    pub resource: Option<ResourceName>,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

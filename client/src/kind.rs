//! How a lock is held: alone, or together with others.

use serde_json::Value;

/// How to hold a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Alone.
    #[default]
    Exclusive,
    /// Together with other clients, each of which has a lease, a fence and a token of its own.
    Shared {
        /// How many permits all holders together may have. Without a limit, as for readers, any number of clients hold
        /// the lock at once; the server then takes the limit that is pinned, if there is one.
        limit: Option<u32>,
        /// How many permits this holder takes: one, if this is not given. Only with a limit.
        permits: Option<u32>,
    },
}

impl Kind {
    /// Together with any number of others, as readers do.
    pub const fn shared() -> Self {
        Self::Shared { limit: None, permits: None }
    }

    /// Together with others, so that all holders have at most so many permits.
    pub const fn limited(limit: u32) -> Self {
        Self::Shared { limit: Some(limit), permits: None }
    }

    /// The same, shared and with so many permits.
    pub const fn with_permits(self, permits: u32) -> Self {
        match self {
            Self::Exclusive => Self::Shared { limit: None, permits: Some(permits) },
            Self::Shared { limit, .. } => Self::Shared { limit, permits: Some(permits) },
        }
    }

    /// The same, shared and with this limit.
    pub const fn with_limit(self, limit: u32) -> Self {
        match self {
            Self::Exclusive => Self::limited(limit),
            Self::Shared { permits, .. } => Self::Shared { limit: Some(limit), permits },
        }
    }

    /// The fields `mode`, `limit` and `permits` of a request.
    pub(crate) fn fields(self) -> (Value, Option<Value>, Option<Value>) {
        match self {
            Self::Exclusive => ("exclusive".into(), None, None),
            Self::Shared { limit, permits } => ("shared".into(), limit.map(Value::from), permits.map(Value::from)),
        }
    }
}

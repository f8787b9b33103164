//! API keys that requests had.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::table::Table;
use crate::access::Reached;

/// What came of the API key of a request.
#[derive(Clone, Copy, Debug)]
pub enum Authentication {
    /// It is valid and allows the operation.
    Ok,
    /// There is none.
    Missing,
    /// It has not the form of a key.
    Malformed,
    /// Its checksum is wrong.
    BadChecksum,
    /// No key is like it.
    Unknown,
    /// It has expired.
    Expired,
    /// It is valid and does not allow the operation.
    Denied,
}

/// API keys that requests had.
#[derive(Debug)]
pub struct Access {
    keys: Table<Counter>,
    quotas: Table<Counter>,
}

impl Authentication {
    /// All of them, each at the place of its number.
    const ALL: [Self; 7] =
        [Self::Ok, Self::Missing, Self::Malformed, Self::BadChecksum, Self::Unknown, Self::Expired, Self::Denied];

    /// Its name in metrics and in the audit file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::BadChecksum => "bad_checksum",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Denied => "denied",
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        let labels = Authentication::ALL.map(|result| vec![("method", "key"), ("result", result.as_str())]);
        let quotas = ["per_second", "max_waiters", "max_held"].map(|quota| vec![("quota", quota)]);
        Self { keys: Table::new(labels, Counter::default), quotas: Table::new(quotas, Counter::default) }
    }
}

impl Access {
    /// A request came with a key, or without one.
    pub fn saw(&self, what: Authentication) {
        if let Some(count) = self.keys.get(what as usize) {
            count.inc();
        }
    }

    /// A request was refused because of a quota.
    pub fn refused(&self, reached: Reached) {
        let number = match reached {
            Reached::Rate { .. } => 0,
            Reached::Waiters(_) => 1,
            Reached::Held(_) => 2,
        };
        if let Some(count) = self.quotas.get(number) {
            count.inc();
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("gorilla_quota_refused", "Requests that a quota refused", self.quotas.clone());
        registry.register("gorilla_auth", "Requests by what came of their API key", self.keys.clone());
    }
}

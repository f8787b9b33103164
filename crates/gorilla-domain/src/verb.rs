//! What a caller may be allowed to do with a resource.

use std::{fmt, str::FromStr};

/// What a caller may be allowed to do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Take its lock, if it is free.
    Acquire,
    /// Wait for its lock. Only together with `Acquire`.
    Wait,
    /// Extend a lease on it, with the token of the lock.
    Extend,
    /// Release its lock, with the token of the lock.
    Release,
    /// See who holds its lock, and who waits.
    Inspect,
    /// Find its lock in a list.
    List,
    /// End its lock without the token.
    Break,
    /// Pin and unpin its limit.
    Limit,
    /// Follow its events.
    Events,
    /// Read the metrics of a replica, which belong to no resource.
    Metrics,
}

/// A text that is not a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVerb;

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 10] = [
        Self::Acquire,
        Self::Wait,
        Self::Extend,
        Self::Release,
        Self::Inspect,
        Self::List,
        Self::Break,
        Self::Limit,
        Self::Events,
        Self::Metrics,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Wait => "wait",
            Self::Extend => "extend",
            Self::Release => "release",
            Self::Inspect => "inspect",
            Self::List => "list",
            Self::Break => "break",
            Self::Limit => "limit",
            Self::Events => "events",
            Self::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = UnknownVerb;

    fn from_str(name: &str) -> Result<Self, UnknownVerb> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == name).ok_or(UnknownVerb)
    }
}

impl fmt::Display for UnknownVerb {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "must be one of {}", Verb::ALL.map(Verb::as_str).join(", "))
    }
}

impl std::error::Error for UnknownVerb {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_read_as_it_is_written_and_no_other_text_is_a_verb() {
        for verb in Verb::ALL {
            assert_eq!(verb.as_str().parse(), Ok(verb));
        }
        for wrong in ["", "Acquire", "acquire ", "*", "delete"] {
            assert_eq!(wrong.parse::<Verb>(), Err(UnknownVerb), "{wrong:?}");
        }
    }
}

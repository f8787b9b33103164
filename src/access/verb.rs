//! What a role may allow.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Take a lock that is free.
    Acquire,
    /// Wait for a lock that is held. Means nothing without `acquire`.
    Wait,
    /// Extend or convert a lock, with its token.
    Extend,
    /// Release a lock, with its token.
    Release,
    /// See a lock and its queue.
    Inspect,
    /// List the locks that are held.
    List,
    /// End a lock without its token.
    Break,
    /// Pin and unpin the limit of a shared lock.
    Limit,
    /// Follow what happens to locks.
    Events,
    /// Read the metrics of a replica.
    Metrics,
}

/// A text that is no verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVerb;

/// A set of verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbs(u16);

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

    /// As the access file has it.
    pub fn as_str(self) -> &'static str {
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

    fn from_str(text: &str) -> Result<Self, UnknownVerb> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == text).ok_or(UnknownVerb)
    }
}

impl fmt::Display for UnknownVerb {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "must be one of {}", Verb::ALL.map(Verb::as_str).join(", "))
    }
}

impl std::error::Error for UnknownVerb {}

impl Verbs {
    /// Whether the set has a verb.
    pub fn contains(self, verb: Verb) -> bool {
        self.0 & Self::bit(verb) != 0
    }

    /// Whether the set has no verb.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The verbs of the set, in the order of `Verb::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |&verb| self.contains(verb))
    }

    fn bit(verb: Verb) -> u16 {
        1 << verb as u16
    }
}

impl FromIterator<Verb> for Verbs {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        Self(verbs.into_iter().fold(0, |set, verb| set | Self::bit(verb)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_read_and_serialised_as_it_is_written() {
        for verb in Verb::ALL {
            assert_eq!(verb.as_str().parse(), Ok(verb));
            assert_eq!(serde_json::to_value(verb).expect("JSON"), verb.as_str());
            assert_eq!(serde_json::from_value::<Verb>(verb.as_str().into()).expect("a verb"), verb);
        }
        for wrong in ["", "Acquire", "acquire ", "*", "delete"] {
            assert_eq!(wrong.parse::<Verb>(), Err(UnknownVerb), "{wrong:?}");
        }
    }

    #[test]
    fn a_set_has_the_verbs_that_it_was_made_of_and_no_other() {
        let set: Verbs = [Verb::List, Verb::Acquire, Verb::List].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Verb::Acquire, Verb::List]);
        assert!(!set.is_empty() && Verbs::default().is_empty() && !set.contains(Verb::Metrics));
        assert_eq!(Verb::ALL.into_iter().collect::<Verbs>().iter().count(), Verb::ALL.len());
    }
}

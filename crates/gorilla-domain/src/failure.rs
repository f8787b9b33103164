//! Why an operation has no outcome.

use std::time::Duration;

/// What kept the store from serving, or from telling what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no usable connection to the store, and nothing was sent. Says why.
    Unreachable(String),
    /// The store refused before it executed anything. Has the word that the store says for it.
    Refused(String),
    /// As many commands wait for the store as the settings allow.
    Overloaded,
    /// The store made the grant, too few copies of the store confirmed it, and the grant was undone.
    NotReplicated,
    /// The request was sent, and no reply came: the store may have executed it, or may yet. Says for how long or why.
    Unknown(String),
    /// The store is in a state that an operator must fix. Says which.
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

//! Why an operation has no outcome.

use std::time::Duration;

/// What kept the store from serving, or from telling what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no usable connection to the store, and nothing was sent. Says why.
    Unreachable(String),
    /// The store refused before it executed anything. Says by which word.
    Refused(String),
    /// As many commands wait for the store as may.
    Overloaded,
    /// The grant was executed, was not confirmed by as many copies of the store as it must be, and was undone.
    NotReplicated,
    /// The request was sent, and no reply came: it may have been executed, or still be. Says for how long or why.
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

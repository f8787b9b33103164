//! What can be wrong, and how it is said.

use std::fmt;

use crate::history::{Moment, SECOND};

/// A promise of docs/internals/guarantees.md, with its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// At most one live grant of a resource.
    Exclusion,
    /// Fences are unique, and rise with real time.
    Fencing,
    /// A token that was released, superseded, or passed over never acts.
    StaleTokens,
    /// A register that compares fences loses no update.
    FencedRegister,
    /// A client that vanishes leaves no lock.
    NoOrphans,
    /// Waiters are served in the order of arrival.
    Order,
    /// A request that is sent again acts once.
    SafeRetry,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Exclusion,
        Self::Fencing,
        Self::StaleTokens,
        Self::FencedRegister,
        Self::NoOrphans,
        Self::Order,
        Self::SafeRetry,
    ];
}

/// A broken promise, with what shows it. Fences stand for grants, nanoseconds for moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The second was answered while the first was held.
    TwoHolders {
        /// Of which resource.
        resource: String,
        /// The grant that was held, and until when.
        first: (u64, Moment),
        /// The grant that was answered too, and when.
        second: (u64, Moment),
    },
    /// The first grant was answered before the second was asked for, and its fence is not smaller.
    FenceNotRising {
        /// Of which resource.
        resource: String,
        /// The earlier grant, and when it was answered.
        first: (u64, Moment),
        /// The later grant, and when it was asked for.
        second: (u64, Moment),
    },
    /// Two grants of a resource share a fence.
    FenceTwice {
        /// Of which resource.
        resource: String,
        /// The fence.
        fence: u64,
    },
    /// A token that was given before was given again.
    TokenTwice {
        /// Of which resource.
        resource: String,
        /// The grant that has it now.
        fence: u64,
    },
    /// A dead token acted.
    StaleToken {
        /// Of which resource.
        resource: String,
        /// The grant that it came from.
        fence: u64,
        /// Since when it was dead, and why.
        dead: (Moment, &'static str),
        /// When it was used once more, and acted.
        used: Moment,
    },
    /// One Idempotency-Key was answered by two grants or two tokens.
    ActedTwice {
        /// Of which resource.
        resource: String,
        /// What was asked.
        what: &'static str,
        /// The key.
        key: String,
        /// The two answers.
        answers: (u64, u64),
    },
    /// A register that compares fences took two writes that began from the same value.
    LostUpdate {
        /// Of which resource.
        resource: String,
        /// The value that was written twice.
        value: u64,
        /// Under which fences.
        fences: (u64, u64),
    },
    /// A lock that nobody had been told of stood for longer than it may.
    Orphan {
        /// Of which resource.
        resource: String,
        /// Its fence.
        fence: u64,
        /// For how long it was seen.
        seen: Moment,
    },
    /// A lock, or places in a queue, were there long after everybody had gone.
    LeftBehind {
        /// Of which resource.
        resource: String,
        /// The fence of the lock, if there was one.
        fence: Option<u64>,
        /// How many places there were.
        waiting: u64,
    },
    /// The second request came later and was granted first, and neither saw a fault.
    OutOfTurn {
        /// Of which resource.
        resource: String,
        /// The earlier request: its owner, its fence, and its arrival in microseconds by Redis's clock.
        first: (String, u64, u64),
        /// The same of the later request.
        second: (String, u64, u64),
    },
}

impl Violation {
    /// Which promise it breaks.
    pub fn property(&self) -> Property {
        match self {
            Self::TwoHolders { .. } => Property::Exclusion,
            Self::FenceNotRising { .. } | Self::FenceTwice { .. } => Property::Fencing,
            Self::TokenTwice { .. } | Self::StaleToken { .. } => Property::StaleTokens,
            Self::ActedTwice { .. } => Property::SafeRetry,
            Self::LostUpdate { .. } => Property::FencedRegister,
            Self::Orphan { .. } | Self::LeftBehind { .. } => Property::NoOrphans,
            Self::OutOfTurn { .. } => Property::Order,
        }
    }
}

/// A moment in seconds.
fn at(moment: Moment) -> String {
    format!("{:.3} s", moment as f64 / SECOND as f64)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::TwoHolders { resource, first, second } => write!(
                f,
                "two holders of {resource}: the grant with fence {} was held until {}, and the one with fence {} was answered at {}",
                first.0,
                at(first.1),
                second.0,
                at(second.1)
            ),
            Self::FenceNotRising { resource, first, second } => write!(
                f,
                "a fence of {resource} did not rise: {} was answered at {}, and the grant asked for at {} got {}",
                first.0,
                at(first.1),
                at(second.1),
                second.0
            ),
            Self::FenceTwice { resource, fence } => write!(f, "two grants of {resource} have the fence {fence}"),
            Self::TokenTwice { resource, fence } => {
                write!(f, "the grant of {resource} with fence {fence} has a token that was given before")
            }
            Self::StaleToken { resource, fence, dead, used } => write!(
                f,
                "a stale token of {resource} acted: it came with fence {fence}, was {} at {}, and acted when it was used at {}",
                dead.1,
                at(dead.0),
                at(*used)
            ),
            Self::ActedTwice { resource, what, key, answers } => write!(
                f,
                "{what} of {resource} with the Idempotency-Key {key} acted twice: it was answered with {} and with {}",
                answers.0, answers.1
            ),
            Self::LostUpdate { resource, value, fences } => write!(
                f,
                "an update of what {resource} protects was lost: {value} was written under fence {} and again under fence {}",
                fences.0, fences.1
            ),
            Self::Orphan { resource, fence, seen } => write!(
                f,
                "an orphan of {resource}: the grant with fence {fence} was answered to nobody, and was seen to stand for {}",
                at(*seen)
            ),
            Self::LeftBehind { resource, fence: Some(fence), .. } => {
                write!(f, "left behind: a lock of {resource} with fence {fence}, longer than any lease")
            }
            Self::LeftBehind { resource, fence: None, waiting } => {
                write!(f, "left behind: {waiting} places in the queue of {resource}")
            }
            Self::OutOfTurn { resource, first, second } => write!(
                f,
                "out of turn for {resource}: {} arrived at {} µs and got fence {}, {} arrived at {} µs and got fence {}",
                first.0, first.2, first.1, second.0, second.2, second.1
            ),
        }
    }
}

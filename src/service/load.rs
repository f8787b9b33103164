//! Which requests a replica refuses because more come than it can serve. It refuses lists first, then looks at locks, then
//! acquires, and never a release, an extend or a break: those end what others wait for.

use std::sync::Arc;

use gorilla_domain::Verb;
use gorilla_wire::Right;

use crate::{lag::Lag, metrics::Metrics};

/// What is refused together. The order is that in which a replica refuses them, and that of `metrics::shed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Lists of locks, and new listeners.
    List,
    /// Looks at a lock, its queue, its limit and its history.
    Inspect,
    /// Acquires of a lock and of a set.
    Acquire,
}

/// Decides what to refuse.
pub(super) struct Load {
    most: usize,
    lag: Arc<Lag>,
    metrics: Arc<Metrics>,
}

impl Class {
    /// The class of an operation; nothing if it is never refused here.
    fn of(right: Right) -> Option<Self> {
        match right {
            Right::OnSome(Verb::List | Verb::Events) => Some(Self::List),
            Right::On(Verb::Inspect | Verb::Events) => Some(Self::Inspect),
            Right::On(Verb::Acquire) | Right::OnSome(Verb::Acquire) => Some(Self::Acquire),
            _ => None,
        }
    }

    /// A part of what acquires may have: half for a list, three quarters for a look.
    fn part(self, whole: usize) -> usize {
        match self {
            Self::List => whole.div_ceil(2),
            Self::Inspect => (whole * 3).div_ceil(4),
            Self::Acquire => whole,
        }
    }
}

impl Load {
    /// Refuses what comes while `most` requests wait for Redis.
    pub fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        Self { most, lag: Lag::measured_by(metrics.shed.lag.clone()), metrics }
    }

    /// Whether an operation with this right is too much now, while so many requests wait for Redis.
    pub fn is_too_much(&self, right: Right, in_flight: usize) -> bool {
        self.lag.asked();
        let Some(class) = Class::of(right) else { return false };
        let is_too_much = in_flight >= class.part(self.most);
        if is_too_much {
            self.metrics.shed.refused(class as usize);
        }
        is_too_much
    }
}

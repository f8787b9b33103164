//! Something that happened, as a listener is told of it.

use std::sync::Arc;

use gorilla_domain::event::{Change, Cursor, Event};

use crate::events::Recorded;

/// Something that happened. Shared by all who are told of it.
#[derive(Clone, Debug)]
pub struct Happened {
    recorded: Arc<Recorded>,
    /// Whether the listener may know who took the lock.
    shows_taker: bool,
}

impl Happened {
    pub(super) fn new(recorded: Arc<Recorded>, shows_taker: bool) -> Self {
        Self { recorded, shows_taker }
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.recorded.event
    }

    /// Its position; `None` for a `broken` that was told while nothing was recorded.
    pub fn cursor(&self) -> Option<Cursor> {
        self.recorded.cursor
    }

    /// Its JSON, written once for all who may know the same.
    pub fn json(&self) -> &[u8] {
        let of_others = self.recorded.json_without_taker.as_ref().filter(|_| !self.shows_taker);
        of_others.unwrap_or(&self.recorded.json)
    }

    /// With a grant: the identity that took the lock, if there is one and the listener may know it.
    pub fn taker(&self) -> Option<&str> {
        match &self.recorded.event.change {
            Change::Granted { by, .. } => by.as_deref().filter(|_| self.shows_taker),
            _ => None,
        }
    }

    /// An event without a position.
    #[cfg(test)]
    pub fn unrecorded(event: Event) -> Self {
        Self::new(Arc::new(Recorded::new(event, None)), true)
    }
}

//! Something that happened, as a listener is told of it.

use std::sync::Arc;

use gorilla_domain::event::{Cursor, Event};

use crate::events::Recorded;

/// Something that happened. Shared by all who are told of it.
#[derive(Clone, Debug)]
pub struct Happened(pub(super) Arc<Recorded>);

impl Happened {
    /// The event.
    pub fn event(&self) -> &Event {
        &self.0.event
    }

    /// Its position; `None` for a `broken` that was told while nothing was recorded.
    pub fn cursor(&self) -> Option<Cursor> {
        self.0.cursor
    }

    /// Its JSON, written once for all.
    pub fn json(&self) -> &[u8] {
        &self.0.json
    }

    /// An event without a position.
    #[cfg(test)]
    pub fn unrecorded(event: Event) -> Self {
        Self(Arc::new(Recorded { json: crate::events::json(&event, None), event, cursor: None }))
    }
}

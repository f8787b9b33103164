//! What listeners are told.

use std::sync::Arc;

use bytes::Bytes;
use gorilla_domain::event::{Cursor, Event, Missed};

/// An event as Redis has recorded it.
#[derive(Debug)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// Its position; `None` for a `broken` that was told while nothing was recorded.
    pub cursor: Option<Cursor>,
    /// Its JSON, written once for all listeners: docs/reference/events.md.
    pub json: Bytes,
}

/// What a listener is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Something happened.
    Event(Arc<Recorded>),
    /// Events are missing here.
    Missed(Missed),
    /// Nothing before this position is left to be told.
    Bookmark(Cursor),
    /// Nothing more is told.
    End(End),
}

/// Why nothing more is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The listener does not keep up.
    Slow,
    /// The replica is about to end.
    Draining,
}

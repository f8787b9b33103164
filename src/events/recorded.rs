//! What listeners are told.

use std::sync::Arc;

use bytes::Bytes;
use gorilla_domain::event::{Change, Cursor, Event, Missed};

use super::json::json;

/// An event as Redis has recorded it.
#[derive(Debug)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// Its position; `None` for a `broken` that was told while nothing was recorded.
    pub cursor: Option<Cursor>,
    /// Its JSON, written once for all listeners: docs/reference/events.md.
    pub json: Bytes,
    /// The same for those who may not know who took the lock; `None` if it says nothing of that.
    pub json_without_taker: Option<Bytes>,
}

impl Recorded {
    /// Writes the JSON of an event.
    pub fn new(event: Event, cursor: Option<Cursor>) -> Self {
        let tells_taker = matches!(event.change, Change::Granted { by: Some(_), .. });
        Self {
            json: json(&event, cursor.as_ref(), true),
            json_without_taker: tells_taker.then(|| json(&event, cursor.as_ref(), false)),
            event,
            cursor,
        }
    }
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

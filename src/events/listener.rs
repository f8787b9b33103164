//! Somebody who listens.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use gorilla_domain::event::Cursor;
use tokio::{sync::watch, time::Instant};

use super::{
    board::{Board, Frame},
    recorded::{End, Told},
};

/// Between two bookmarks.
const BOOKMARK: Duration = Duration::from_secs(10);

/// Somebody who listens to all events of the store.
pub struct Listener {
    board: Arc<Board>,
    changes: watch::Receiver<()>,
    listeners: Arc<AtomicUsize>,
    /// To be told before the frames.
    first: VecDeque<Told>,
    /// The number of the next frame.
    next: u64,
    cursor: Cursor,
    resumed: bool,
    bookmark_at: Instant,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listeners.fetch_sub(1, Relaxed);
    }
}

impl Listener {
    /// The next thing to tell. Cancel safe: nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Told {
        loop {
            if let Some(told) = self.first.pop_front() {
                return told;
            }
            self.changes.mark_unchanged();
            {
                let state = self.board.state();
                match state.frame(self.next) {
                    Err(_) => return Told::End(End::Slow),
                    Ok(Some(frame)) => {
                        self.next += 1;
                        match frame {
                            Frame::Event(event) => {
                                self.cursor = event.cursor.unwrap_or(self.cursor);
                                return Told::Event(Arc::clone(event));
                            }
                            Frame::Missed(why) => return Told::Missed(*why),
                        }
                    }
                    Ok(None) if state.is_draining => return Told::End(End::Draining),
                    Ok(None) => self.cursor = state.position.unwrap_or(self.cursor),
                }
            }
            tokio::select! {
                _ = self.changes.changed() => {}
                () = tokio::time::sleep_until(self.bookmark_at) => {
                    self.bookmark_at = Instant::now() + BOOKMARK;
                    return Told::Bookmark(self.cursor);
                }
            }
        }
    }

    /// Where the listener stands: everything before was told.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Whether what happened after the cursor that was given is told without a gap.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Since when Redis has recorded, as far as that is kept.
    pub fn recorded_since(&self) -> Option<DateTime<Utc>> {
        self.board.state().recorded_since
    }

    /// Whether more locks are held than the replica follows, so that an `expired` may be late.
    pub fn expiries_are_late(&self) -> bool {
        self.board.state().expiries_are_late
    }
}

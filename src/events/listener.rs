//! Somebody who listens.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use gorilla_domain::event::{Cursor, Missed};
use tokio::{sync::watch, time::Instant};

use super::{
    board::Frame,
    place::Place,
    reader::Source,
    reading::replay,
    recorded::{End, Told},
};

/// Between two bookmarks.
const BOOKMARK: Duration = Duration::from_secs(10);

/// Somebody who listens to all events of the store.
pub struct Listener {
    source: Source,
    changes: watch::Receiver<()>,
    /// To be told before the frames.
    first: VecDeque<Told>,
    /// The number of the next frame.
    next: u64,
    cursor: Cursor,
    resumed: bool,
    /// Whether it has fallen behind the frames that are kept, and has not caught up since.
    has_lagged: bool,
    bookmark_at: Instant,
    _place: Place,
}

/// Where a listener begins.
pub struct Start {
    /// All before this was told.
    pub cursor: Cursor,
    /// The number of the first frame to tell.
    pub next: u64,
    /// To be told before that.
    pub first: Vec<Told>,
    /// Whether what happened after the cursor that was asked for is told without a gap.
    pub resumed: bool,
}

impl Listener {
    pub(super) fn new(source: Source, place: Place, start: Start) -> Self {
        let Start { cursor, next, first, resumed } = start;
        Self {
            changes: source.board.subscribe(),
            source,
            first: first.into(),
            next,
            cursor,
            resumed,
            has_lagged: false,
            bookmark_at: Instant::now() + BOOKMARK,
            _place: place,
        }
    }

    /// The next thing to tell. Cancel safe: nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Told {
        loop {
            if let Some(told) = self.first.pop_front() {
                if let Told::Event(event) = &told {
                    self.cursor = event.cursor.unwrap_or(self.cursor);
                }
                return told;
            }
            self.changes.mark_unchanged();
            let has_fallen_behind = {
                let state = self.source.board.state();
                match state.frame(self.next) {
                    Err(_) => true,
                    Ok(Some(frame)) => {
                        self.next += 1;
                        match frame {
                            // What was read from Redis may be ahead of the board.
                            Frame::Event(event) if event.cursor.is_some_and(|at| !is_ahead(&at, &self.cursor)) => {
                                continue;
                            }
                            Frame::Event(event) => {
                                self.cursor = event.cursor.unwrap_or(self.cursor);
                                return Told::Event(Arc::clone(event));
                            }
                            Frame::Missed(why, position) => {
                                self.cursor = *position;
                                return Told::Missed(*why);
                            }
                        }
                    }
                    Ok(None) if state.is_draining => return Told::End(End::Draining),
                    Ok(None) => {
                        self.cursor = state.position.filter(|at| is_ahead(at, &self.cursor)).unwrap_or(self.cursor);
                        self.has_lagged = false;
                        false
                    }
                }
            };
            if has_fallen_behind {
                if self.has_lagged || !self.catch_up().await {
                    return Told::End(End::Slow);
                }
                continue;
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

    /// Reads from Redis what isn't on the board any more. Says whether that could be done.
    async fn catch_up(&mut self) -> bool {
        let replayed = replay(&self.source.store, self.cursor).await;
        let state = self.source.board.state();
        let is_same_epoch = state.position.is_some_and(|position| position.epoch == self.cursor.epoch);
        self.has_lagged = true;
        if !is_same_epoch {
            self.first.push_back(Told::Missed(Missed::Slow));
            (self.next, self.cursor) = (state.next(), state.position.unwrap_or(self.cursor));
            return true;
        }
        let Ok(Ok(events)) = replayed else { return false };
        let last = events.last().and_then(|event| event.cursor).unwrap_or(self.cursor);
        let Ok(next) = state.behind(&last) else { return false };
        self.next = next;
        self.first.extend(events.into_iter().map(Told::Event));
        true
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
        self.source.board.state().recorded_since
    }

    /// Whether more locks are held than the replica follows, so that an `expired` may be late.
    pub fn expiries_are_late(&self) -> bool {
        self.source.board.state().expiries_are_late
    }
}

/// Whether a position is behind what was told up to a cursor. Another epoch comes behind its `Frame::Missed`.
fn is_ahead(at: &Cursor, told: &Cursor) -> bool {
    at.epoch != told.epoch || at.order(told).is_gt()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use gorilla_domain::{
        ResourceName,
        event::{Change, Epoch, Event},
    };

    use super::*;
    use crate::{
        events::{board::Board, recorded::Recorded},
        metrics::Metrics,
        settings::Settings,
        store::Store,
    };

    fn cursor(ms: u64) -> Cursor {
        let epoch = Epoch::new(1).expect("it fits");
        Cursor::at(epoch, ms)
    }

    fn event(ms: u64) -> Arc<Recorded> {
        let event = Event {
            resource: ResourceName::parse("a").expect("a name"),
            owner: "a".into(),
            fence: Some(ms),
            id: None,
            at: DateTime::default(),
            change: Change::Released { held_ms: None },
        };
        Arc::new(Recorded::new(event, Some(cursor(ms))))
    }

    /// The fences of all that can be told now.
    fn told(listener: &mut Listener) -> Vec<u64> {
        let mut fences = Vec::new();
        while let Some(told) = listener.next().now_or_never() {
            let Told::Event(event) = told else { panic!("{told:?}") };
            fences.extend(event.event.fence);
        }
        fences
    }

    #[tokio::test]
    async fn what_was_read_from_redis_ahead_of_the_board_is_told_once_and_no_cursor_goes_back() {
        let settings = Settings::load(None, &[]).expect("settings");
        let store = Store::open(&settings, &Metrics::new());
        let source =
            Source { store, board: Arc::new(Board::new()), listeners: Arc::default(), is_read: Arc::default() };
        source.board.change(|state| {
            state.begin_epoch(cursor(1));
            state.position = Some(cursor(1));
        });
        let first = [2, 3].map(|ms| Told::Event(event(ms))).into();
        let start = Start { cursor: cursor(0), next: source.board.state().next(), first, resumed: true };
        let place = Place::take(&source.listeners).expect("a place");
        let mut listener = Listener::new(source.clone(), place, start);
        assert_eq!((told(&mut listener), listener.cursor()), (vec![2, 3], cursor(3)));
        source.board.change(|state| {
            [2, 3, 4].into_iter().for_each(|ms| state.push(Frame::Event(event(ms))));
            state.position = Some(cursor(4));
        });
        assert_eq!((told(&mut listener), listener.cursor()), (vec![4], cursor(4)));
    }
}

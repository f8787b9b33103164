//! The events of a replica.

use std::{
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use chrono::{DateTime, Utc};
use gorilla_domain::{
    Failure, ResourceName,
    event::{Cursor, Event, Missed},
};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use super::{
    board::Board,
    line::time,
    listener::{Listener, Start},
    place::Place,
    reader::Source,
    reading::{backwards, newest, replay},
    recorded::{Recorded, Told},
};
use crate::{settings::Record, store::Store};

/// How long a listener waits until the reader has come to its cursor, which another replica has told it.
const AHEAD: Duration = Duration::from_secs(3);
/// Between two times that a replica without listeners has Redis record on, where it always does.
const REFRESH: Duration = Duration::from_secs(30);

/// The events of a replica: one reader for all listeners, which runs only while somebody listens.
pub struct Feed {
    source: Source,
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
    /// Reads nothing until somebody listens. Where events are always recorded, it sees to that from now on.
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        if store.record() == Record::Always {
            tokio::spawn(keep_recording(Arc::downgrade(&store)));
        }
        let source =
            Source { store, board: Arc::new(Board::new()), listeners: Arc::default(), is_read: Arc::default() };
        Arc::new(Self { source })
    }

    /// Begins to listen, which has Redis record from now on. Told is what happens from now on or, with a cursor, what
    /// happened after it; if that can't be had, `Told::Missed` comes first.
    pub async fn listen(self: &Arc<Self>, since: Option<Cursor>) -> Result<Listener, ListenError> {
        let Source { store, board, listeners, .. } = &self.source;
        if store.record() == Record::Off {
            return Err(ListenError::Off);
        }
        let place = Place::take(listeners).ok_or(ListenError::Full)?;
        self.source.begin();
        let position = self.position().await?;
        let start = match since {
            None => {
                let state = board.state();
                Start {
                    cursor: state.position.unwrap_or(position),
                    next: state.next(),
                    first: Vec::new(),
                    resumed: false,
                }
            }
            Some(since) => self.resume(since).await?,
        };
        Ok(Listener::new(self.source.clone(), place, start))
    }

    /// Whether events are recorded also while nobody listens.
    pub fn always_records(&self) -> bool {
        self.source.store.record() == Record::Always
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.source.listeners.load(Relaxed)
    }

    /// What happened to a lock, backwards from a cursor or from now: at most `limit` events. Looks at a bounded number of
    /// entries, so that a page may be empty although there is more.
    pub async fn history(
        &self,
        resource: &ResourceName,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<History, Failure> {
        let store = &self.source.store;
        let nothing = History { events: Vec::new(), recorded_since: None, before: None };
        if store.record() == Record::Off {
            return Ok(nothing);
        }
        let Some((epoch, since)) = store.recorded_since(resource).await? else {
            return Ok(nothing);
        };
        let (events, before) = backwards(store, epoch, resource, before, limit).await?;
        Ok(History { events, recorded_since: time(since), before })
    }

    /// The last events of all locks that are wanted, the oldest first: at most `limit`, among a bounded number of entries.
    /// What happens next is behind the cursor; `None` if nothing is recorded.
    pub async fn recent(
        &self,
        limit: usize,
        is_wanted: impl Fn(&Event) -> bool,
    ) -> Result<(Vec<Arc<Recorded>>, Option<Cursor>), Failure> {
        let store = &self.source.store;
        match store.record() {
            Record::Off => Ok((Vec::new(), None)),
            Record::Listened | Record::Always => match store.present_epoch().await? {
                Some(epoch) => newest(store, epoch, limit, is_wanted).await,
                None => Ok((Vec::new(), None)),
            },
        }
    }

    /// The replica is about to end: each listener is told all that has come, and then the end.
    pub fn drain(&self) {
        self.source.board.change(|state| state.is_draining = true);
    }

    /// Where the reader stands, as soon as it has read all that is recorded.
    async fn position(&self) -> Result<Cursor, ListenError> {
        let board = &self.source.board;
        let mut changes = board.subscribe();
        loop {
            {
                let state = board.state();
                if state.is_draining {
                    return Err(ListenError::Draining);
                }
                if let Some(failure) = &state.trouble {
                    return Err(ListenError::Failed(failure.clone()));
                }
                if let Some(position) = state.position {
                    return Ok(position);
                }
            }
            // Fails only without a board.
            let _ = changes.changed().await;
        }
    }

    /// Where a listener begins that wants to know what happened after a cursor.
    async fn resume(&self, since: Cursor) -> Result<Start, ListenError> {
        let board = &self.source.board;
        let (mut changes, deadline) = (board.subscribe(), Instant::now() + AHEAD);
        loop {
            let position = self.position().await?;
            {
                let state = board.state();
                let missed = |why| Start {
                    cursor: position,
                    next: state.next(),
                    first: vec![Told::Missed(why)],
                    resumed: false,
                };
                if position.epoch != since.epoch {
                    let why = state.before.filter(|(epoch, _)| *epoch == since.epoch);
                    return Ok(missed(why.map_or(Missed::Restarted, |(_, why)| why)));
                }
                if since.order(&position).is_le() {
                    if let Ok(next) = state.behind(&since) {
                        return Ok(Start { cursor: since, next, first: Vec::new(), resumed: true });
                    }
                } else if Instant::now() >= deadline {
                    // Nobody has told it.
                    return Ok(missed(Missed::Restarted));
                }
            }
            if since.order(&position).is_le() {
                return self.resume_from_redis(since, position).await;
            }
            let _ = timeout_at(deadline, changes.changed()).await;
        }
    }

    /// The same where the board doesn't go back so far.
    async fn resume_from_redis(&self, since: Cursor, position: Cursor) -> Result<Start, ListenError> {
        let replayed = replay(&self.source.store, since).await.map_err(ListenError::Failed)?;
        let state = self.source.board.state();
        let missed =
            |why| Start { cursor: position, next: state.next(), first: vec![Told::Missed(why)], resumed: false };
        let Ok(events) = replayed else { return Ok(missed(Missed::Trimmed)) };
        let last = events.last().and_then(|event| event.cursor).unwrap_or(since);
        let is_same_epoch = state.position.is_some_and(|position| position.epoch == since.epoch);
        match state.behind(&last) {
            Ok(next) if is_same_epoch => {
                let first = events.into_iter().map(Told::Event).collect();
                Ok(Start { cursor: since, next, first, resumed: true })
            }
            _ => Ok(missed(Missed::Slow)),
        }
    }
}

/// Has Redis record events whether anybody listens or not, as long as the store is there.
async fn keep_recording(store: Weak<Store>) {
    loop {
        let Some(store) = store.upgrade() else { return };
        store.tried().await;
        if let Err(failure) = store.listen(None).await {
            debug!(?failure, "Redis could not be told to record events");
            drop(store);
            sleep(Duration::from_secs(1)).await;
            continue;
        }
        drop(store);
        sleep(REFRESH).await;
    }
}

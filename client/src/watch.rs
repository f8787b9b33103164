//! Reads the stream of events, and resumes it when it breaks.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    pin::Pin,
    time::Duration,
};

use eventsource_stream::{Event as Frame, EventStreamError, Eventsource};
use futures_util::{Stream, StreamExt, stream};
use gorilla_wire::{Control, Event, Missed, State};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{
    clock::{Moment, sleep_until},
    error::Error,
    watch_request::WatchRequest,
    wire::Retry,
};

/// After so long without a message the connection counts as dead: the server sends a bookmark at least every 15 s.
const SILENCE: Duration = Duration::from_secs(40);
/// How long the watch pauses at most after a stream has ended, so that the clients of a replica that ends don't all come
/// to the next one at the same moment.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How many events are remembered by their cursors, because a server may tell an event again after a connection has
/// broken, and in a Redis Cluster.
const REMEMBERED: usize = 4096;

/// What a watch tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Told {
    /// The stream has begun, or has begun again after a break.
    Connected {
        /// Whether it goes on where the watch was. If not, either the watch had no cursor, or [`Told::Missed`] follows.
        resumed: bool,
        /// Since when the server's Redis has recorded events, RFC 3339 by the clock of Redis.
        recorded_since: Option<String>,
    },
    /// The state of a lock, if the watch began with a snapshot.
    State(Box<State>),
    /// All states, or the last events that were asked for, were told. What follows has happened after them.
    Synced,
    /// Something happened to a lock.
    Event(Box<Event>),
    /// Events are missing here. If the watch began with a snapshot, the states follow again.
    Missed(Missed),
}

/// Tells what happens to locks. Made by [`WatchRequest::start`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), gorilla_client::Error> {
/// # let url = std::env::var("GORILLA_URL").expect("GORILLA_URL is the address of a server: run make test");
/// use gorilla_client::{Client, Told};
///
/// let client = Client::new(url)?;
/// let mut watch = client.watch().resource("watch-doc").snapshot().start();
/// let mut guard = None;
/// loop {
///     match watch.next().await? {
///         // From here on nothing is missed.
///         Told::Synced => guard = Some(client.lock("watch-doc").acquire().await?),
///         Told::Event(event) if event.kind == "granted" => break,
///         _ => {}
///     }
/// }
/// guard.unwrap().release().await
/// # }
/// ```
pub struct Watch {
    request: WatchRequest,
    cursor: Option<String>,
    open: Option<Frames>,
    /// Not before then a new stream is opened.
    next_open: Moment,
    retry: Retry,
    told: Seen,
}

type Frames = Pin<Box<dyn Stream<Item = Result<Frame, EventStreamError<reqwest::Error>>> + Send>>;

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("request", &self.request).field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

impl WatchRequest {
    /// Begins to watch. Connects to the server with the first [`Watch::next`].
    pub fn start(self) -> Watch {
        Watch::new(self)
    }
}

impl Watch {
    fn new(request: WatchRequest) -> Self {
        let cursor = request.since.clone();
        Self { request, cursor, open: None, next_open: Moment::now(), retry: Retry::new(), told: Seen::default() }
    }

    /// Where the watch is: for the `since` of a later watch. None before the first cursor was told.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The next thing that the watch tells. If the connection breaks, the watch resumes at any replica where it was, or
    /// tells [`Told::Missed`]. Cancel safe.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server refuses the request, also after a break: it would refuse it again.
    /// [`Error::Unavailable`] if the server can't be reached for longer than the patience of the client; a further call
    /// tries again.
    pub async fn next(&mut self) -> Result<Told, Error> {
        let mut give_up = None;
        loop {
            let Some(frames) = &mut self.open else {
                let give_up = *give_up.get_or_insert_with(|| self.request.wire.give_up());
                self.connect(give_up).await?;
                continue;
            };
            match timeout(SILENCE, frames.next()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(told) = self.take(frame) {
                        return Ok(told);
                    }
                }
                // The stream has ended or broken, or nothing came for too long.
                Ok(Some(Err(_)) | None) | Err(_) => self.close(),
            }
        }
    }

    fn close(&mut self) {
        self.open = None;
        self.next_open = Moment::now() + LONGEST_PAUSE.mul_f64(fastrand::f64());
    }

    async fn connect(&mut self, give_up: Moment) -> Result<(), Error> {
        sleep_until(self.next_open).await;
        let path = self.request.path(self.cursor.as_deref());
        match self.request.wire.open(&path).await? {
            Ok(response) => {
                let chunks = stream::unfold(response, async |mut response| {
                    let chunk = response.chunk().await.transpose()?;
                    Some((chunk, response))
                });
                self.open = Some(Box::pin(chunks.eventsource()));
                Ok(())
            }
            Err(trouble) => self.retry.pause(trouble.of_a_read(), give_up).await,
        }
    }

    /// What a message tells the caller, if it tells something.
    fn take(&mut self, frame: Frame) -> Option<Told> {
        let Frame { event, data, id, .. } = frame;
        let told = match event.as_str() {
            "hello" | "synced" | "bookmark" | "missed" | "bye" => self.control(read(&data)?)?,
            "state" => Told::State(read(&data)?),
            _ => {
                let event: Box<Event> = read(&data)?;
                if event.cursor.as_deref().is_some_and(|cursor| !self.told.is_new(&event.kind, cursor)) {
                    return None;
                }
                Told::Event(event)
            }
        };
        // Only then the message counts as told.
        if !id.is_empty() {
            self.cursor = Some(id);
        }
        Some(told)
    }

    fn control(&mut self, control: Control) -> Option<Told> {
        match control {
            Control::Hello { resumed, recorded_since, .. } => {
                self.retry = Retry::new();
                Some(Told::Connected { resumed, recorded_since })
            }
            Control::Synced { cursor } => {
                self.cursor = Some(cursor);
                Some(Told::Synced)
            }
            Control::Bookmark { cursor } => {
                self.cursor = Some(cursor);
                None
            }
            Control::Missed { reason } => {
                self.told = Seen::default();
                Some(Told::Missed(reason))
            }
            // The server ends the stream. Why it did so, the next request is told.
            Control::Bye { .. } => {
                self.close();
                None
            }
        }
    }
}

/// The JSON of a message. What makes no sense is left out, as what a later version adds.
fn read<T: DeserializeOwned>(data: &str) -> Option<T> {
    serde_json::from_str(data).ok()
}

/// The events that were told last.
#[derive(Default)]
struct Seen {
    order: VecDeque<String>,
    all: HashSet<String>,
}

impl Seen {
    /// Whether an event has not been seen. Several events can have one cursor: `granted` and `leader`.
    fn is_new(&mut self, kind: &str, cursor: &str) -> bool {
        let name = format!("{cursor} {kind}");
        if !self.all.insert(name.clone()) {
            return false;
        }
        self.order.push_back(name);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_new_once_and_old_ones_are_forgotten() {
        let mut seen = Seen::default();
        assert!(seen.is_new("granted", "1"));
        assert!(!seen.is_new("granted", "1"));
        assert!(seen.is_new("leader", "1"));
        for cursor in 2..REMEMBERED + 3 {
            assert!(seen.is_new("granted", &cursor.to_string()));
        }
        assert_eq!((seen.order.len(), seen.all.len()), (REMEMBERED, REMEMBERED));
        assert!(seen.is_new("granted", "1"), "it was forgotten");
    }
}

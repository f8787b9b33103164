//! The stream of server-sent events, which lasts until one side ends it.

use std::{error::Error, future::ready, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, StreamExt, stream};
use gorilla_domain::{Cursor, List, event::EventType};
use gorilla_wire::{Bye, Control, EVENT_STREAM, Missed};

use super::{
    asked::{self, Asked, Since},
    frames::Frames,
    leaders::Leaders,
};
use crate::{
    api::{answer::public_state, app::App, error::ApiError},
    rfc3339::Rfc3339,
    service::{Caller, Happened, Heard, Listening, Recent, Service},
};

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long a browser waits before it connects again, in milliseconds.
const RETRY: u32 = 2000;
/// About how many bytes go into the body at once, so that a thousand events are not a thousand writes.
const AT_ONCE: usize = 32 * 1024;
/// About how many states are read from Redis at once.
const STATES: usize = 256;

/// Stands in an answer whose body is a stream: it lasts for long after its head.
#[derive(Clone, Copy)]
pub struct Streaming;

/// What comes next.
#[derive(Clone, Copy)]
enum Stage {
    /// The states of the locks, from here on.
    States(Cursor),
    /// What happens.
    Live,
    /// Nothing: the last message was told.
    Over,
}

struct Stream {
    service: Arc<Service>,
    listening: Listening,
    /// Whether the states are told, first and after events were missed.
    snapshot: bool,
    /// Who leads, if that is told.
    leaders: Option<Leaders>,
    stage: Stage,
    /// The states have what happened before.
    states_at: Option<DateTime<Utc>>,
    frames: Frames,
}

/// Begins a stream. What refuses it is an answer; what befalls it later ends it.
pub async fn answer(app: App, caller: Caller, asked: Asked<asked::Stream>) -> Result<Response, ApiError> {
    let leaders = asked.has_election().then(Leaders::default);
    let Asked { filter, since, recent, form } = asked;
    let cursor = since.as_ref().and_then(|Since(cursor)| *cursor);
    let recent = match since {
        None if recent > 0 => Some(app.service.recent(&caller, &filter, recent).await?),
        _ => None,
    };
    let begins = recent.as_ref().map_or(cursor, |recent| recent.cursor);
    let listening = app.service.listen(&caller, filter, begins).await?;
    // What happens from now on is told. So states that are read later lack nothing.
    let now = app.service.time().await?;
    let mut stream = Stream {
        service: Arc::clone(&app.service),
        listening,
        snapshot: form.snapshot,
        leaders,
        stage: Stage::Live,
        states_at: None,
        frames: Frames::default(),
    };
    stream.hello(now, cursor.is_some());
    if let Some(Recent { events, .. }) = recent {
        events.iter().for_each(|event| stream.event(event));
        stream.synced();
    }
    if cursor.is_none() {
        if since.is_some() {
            stream.missed(Missed::Restarted);
        }
        stream.begin_states(now);
        if let Stage::States(from) = stream.stage {
            stream.states(from).await?;
        }
    }
    let first = stream.frames.take();
    let rest = stream::unfold(stream, async |mut stream| Some((stream.next().await?, stream)));
    let mut response = Response::new(Body::from_stream(stream::once(ready(Ok(first))).chain(rest)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response.extensions_mut().insert(Streaming);
    Ok(response)
}

impl Stream {
    /// The next messages. An error ends the connection: the client connects again, and resumes.
    async fn next(&mut self) -> Option<Result<Bytes, Box<dyn Error + Send + Sync>>> {
        while self.frames.is_empty() {
            let done = match self.stage {
                Stage::States(from) => self.states(from).await,
                Stage::Live => self.live().await,
                Stage::Over => return None,
            };
            if done.is_err() {
                self.stage = Stage::Over;
                return Some(Err("the state of a lock can't be read".into()));
            }
        }
        Some(Ok(self.frames.take()))
    }

    /// Waits for something to tell, and takes what has come beside it.
    async fn live(&mut self) -> Result<(), ApiError> {
        let heard = self.listening.next().await;
        self.tell(heard).await?;
        while matches!(self.stage, Stage::Live) && self.frames.len() < AT_ONCE {
            let Some(heard) = self.listening.next().now_or_never() else { break };
            self.tell(heard).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, heard: Heard) -> Result<(), ApiError> {
        match heard {
            Heard::Event(event) => self.event(&event),
            Heard::Missed(why) => {
                self.missed(missed(why));
                let now = self.service.time().await?;
                self.begin_states(now);
            }
            Heard::Bookmark(cursor) => {
                self.states_at = None;
                let cursor = cursor.to_string();
                self.frames.push_json("bookmark", Some(&cursor), &Control::Bookmark { cursor: cursor.clone() });
            }
            Heard::Bye(reason) => self.bye(reason),
        }
        Ok(())
    }

    fn event(&mut self, happened: &Happened) {
        let event = happened.event();
        if self.states_at.is_some_and(|states| event.at < states) {
            return;
        }
        self.states_at = None;
        let (filter, cursor) = (self.listening.filter(), happened.cursor().map(|cursor| cursor.to_string()));
        let is_told = filter.wants(event.kind());
        let follows = self.leaders.as_mut().and_then(|leaders| leaders.follow(happened));
        if let Some(told) =
            follows.filter(|told| EventType::from_word(&told.kind).is_some_and(|kind| filter.wants(kind)))
        {
            // The last message with a cursor has it as its id: whoever resumes behind the first would lack the second.
            let id = cursor.as_deref().filter(|_| !is_told);
            self.frames.push_json(&told.kind, id, &told);
        }
        if is_told {
            self.frames.push(event.kind().as_str(), cursor.as_deref(), happened.json());
        }
    }

    fn hello(&mut self, now: DateTime<Utc>, resumes: bool) {
        let hello = Control::Hello {
            replica: self.service.replica().into(),
            now: time(now),
            resumed: resumes && self.listening.resumed(),
            recorded_since: self.listening.recorded_since().map(time),
            expiries: self.listening.expiries_are_late().then(|| "late".into()),
        };
        self.frames.retry(RETRY);
        self.frames.push_json("hello", None, &hello);
    }

    fn missed(&mut self, reason: Missed) {
        if let Some(leaders) = &mut self.leaders {
            leaders.forget();
        }
        self.frames.push_json("missed", None, &Control::Missed { reason });
    }

    fn bye(&mut self, reason: Bye) {
        self.frames.push_json("bye", None, &Control::Bye { reason });
        self.stage = Stage::Over;
    }

    /// Next come the states, if they are told.
    fn begin_states(&mut self, now: DateTime<Utc>) {
        if self.snapshot || self.leaders.is_some() {
            (self.states_at, self.stage) = (Some(now), Stage::States(Cursor::default()));
        }
    }

    /// Tells the states of all locks that are named, or of a page of all locks.
    async fn states(&mut self, from: Cursor) -> Result<(), ApiError> {
        let (caller, filter) = (self.listening.caller(), self.listening.filter());
        let has_states = self.snapshot && !filter.kinds().is_some_and(|kinds| kinds.is_election());
        let mut next = None;
        if filter.resources().is_empty() {
            let (prefix, owner) = (filter.prefix().into(), filter.owner().cloned());
            let asked = List { prefix, scope: None, owner, from, limit: STATES };
            let page = self.service.all_followed(caller, asked).await?;
            for (resource, state) in &page.locks {
                self.frames.push_json("state", None, &State { kind: "state", state: public_state(resource, state) });
            }
            next = page.next;
        }
        for resource in filter.resources() {
            let state = self.service.followed(caller, resource).await?;
            if has_states {
                self.frames.push_json("state", None, &State { kind: "state", state: public_state(resource, &state) });
            }
            if let (Some(leaders), Some(now)) = (&mut self.leaders, self.states_at) {
                let told = leaders.look(resource, &state, now);
                if EventType::from_word(&told.kind).is_some_and(|kind| filter.wants(kind)) {
                    self.frames.push_json(&told.kind, None, &told);
                }
            }
        }
        self.stage = next.map_or(Stage::Live, Stage::States);
        if next.is_none() && self.snapshot {
            self.synced();
        }
        Ok(())
    }

    /// From here on comes what happens.
    fn synced(&mut self) {
        let cursor = self.listening.cursor().to_string();
        self.frames.push_json("synced", Some(&cursor), &Control::Synced { cursor: cursor.clone() });
    }
}

/// The public state of a lock, as a message has it.
#[derive(serde::Serialize)]
struct State<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    state: crate::api::answer::PublicState<'a>,
}

/// Why events are missing, as the wire says it.
pub fn missed(why: gorilla_domain::event::Missed) -> Missed {
    match why {
        gorilla_domain::event::Missed::Trimmed => Missed::Trimmed,
        gorilla_domain::event::Missed::Restarted => Missed::Restarted,
        gorilla_domain::event::Missed::Failover => Missed::Failover,
        gorilla_domain::event::Missed::Slow => Missed::Slow,
        gorilla_domain::event::Missed::NotRecorded => Missed::NotRecorded,
    }
}

fn time(at: DateTime<Utc>) -> String {
    Rfc3339::of(at).as_str().into()
}

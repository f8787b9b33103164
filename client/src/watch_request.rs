//! Which events a client wants to be told.

use std::time::Duration;

use gorilla_wire::{EVENTS, Events};
use percent_encoding::utf8_percent_encode;
use reqwest::Method;

use crate::{
    error::Error,
    requests::PLAIN,
    wire::{ANSWER_TIMEOUT, Answer, Request, Wire, read},
};

/// Which events a client wants to be told: made by [`Client::watch`](crate::Client::watch). Without a filter, those of
/// all locks that the client may follow.
///
/// An event must pass all filters.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    pub(crate) wire: Wire,
    resources: Vec<String>,
    prefix: Option<String>,
    owner: Option<String>,
    types: Vec<String>,
    pub(crate) snapshot: bool,
    pub(crate) since: Option<String>,
    recent: u32,
}

impl WatchRequest {
    pub(crate) fn new(wire: Wire) -> Self {
        let (resources, types) = Default::default();
        Self { wire, resources, prefix: None, owner: None, types, snapshot: false, since: None, recent: 0 }
    }

    /// Only this lock. For up to 16 locks, call it again.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// Only locks whose names begin so.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Only events with this owner.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Only events of these types, such as `granted`.
    pub fn types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.types.extend(types.into_iter().map(Into::into));
        self
    }

    /// First the states of the locks, then what happens to them. Also after events were missed.
    pub fn snapshot(mut self) -> Self {
        self.snapshot = true;
        self
    }

    /// Only what happened after this cursor, which an earlier watch has told.
    pub fn since(mut self, cursor: impl Into<String>) -> Self {
        self.since = Some(cursor.into());
        self
    }

    /// First so many of the last events, at most 500, and then what happens. Counts only without a cursor, and not together
    /// with [`WatchRequest::snapshot`].
    pub fn recent(mut self, count: u32) -> Self {
        self.recent = count;
        self
    }

    /// One long poll: the events after the cursor of [`WatchRequest::since`], or after a wait what has come by then. Give
    /// the cursor of the answer to the next poll.
    ///
    /// # Errors
    /// Any kind but [`Error::NotAcquired`] and [`Error::Lost`].
    pub async fn poll(&self, wait: Duration) -> Result<Events, Error> {
        let mut path = self.path(self.since.as_deref());
        path += &format!("{}wait={}", if path.contains('?') { '&' } else { '?' }, wait.as_secs_f64());
        let timeout = wait + ANSWER_TIMEOUT;
        let request = Request { method: Method::GET, path, token: None, key: None, body: None, timeout };
        match self.wire.send(&request, self.wire.give_up()).await? {
            Answer::Done(_, body) => read(body),
            Answer::Refused(refusal) => Err((*refusal).into()),
        }
    }

    /// The part of the URL behind the address of the server.
    pub(crate) fn path(&self, since: Option<&str>) -> String {
        let mut parameters: Vec<String> = Vec::new();
        let mut add = |name: &str, value: &str| {
            parameters.push(format!("{name}={}", utf8_percent_encode(value, PLAIN)));
        };
        self.resources.iter().for_each(|resource| add("resource", resource));
        self.prefix.iter().for_each(|prefix| add("prefix", prefix));
        self.owner.iter().for_each(|owner| add("owner", owner));
        if !self.types.is_empty() {
            add("types", &self.types.join(","));
        }
        if self.snapshot {
            add("snapshot", "1");
        }
        match since {
            Some(since) => add("since", since),
            None if self.recent > 0 => add("recent", &self.recent.to_string()),
            None => {}
        }
        match parameters.is_empty() {
            true => EVENTS.into(),
            false => format!("{EVENTS}?{}", parameters.join("&")),
        }
    }
}

//! Events over HTTP: the stream, the long poll, the history, and waiting until a lock is free.

mod cli;
mod client;
mod drain;
mod history;
mod leaders;
mod limits;
mod parameters;
mod poll;
mod resume;
mod rights;
mod snapshot;
mod stream;
mod undone;
mod until;

use std::time::Duration;

use reqwest::{Client, Response, header::HeaderMap};
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::Api;

/// How long a test waits for a message that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream of events, as a client reads it.
pub struct Stream {
    response: Response,
    text: String,
    /// The headers of the answer.
    pub headers: HeaderMap,
}

/// A message of a stream.
#[derive(Clone, Debug)]
pub struct Message {
    pub event: String,
    pub id: Option<String>,
    pub data: Value,
}

/// Asks for a stream, with these headers.
pub async fn ask(address: &str, query: &str, headers: &[(&str, &str)]) -> Response {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
    let mut request = client.get(format!("http://{address}/api/v1/events{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

impl Stream {
    /// Opens a stream. `query` begins with `?`, or is empty.
    pub async fn open(api: &Api, query: &str) -> Self {
        Self::open_with(api, query, &[]).await
    }

    /// The same with headers.
    pub async fn open_with(api: &Api, query: &str, headers: &[(&str, &str)]) -> Self {
        let response = ask(&api.address, query, headers).await;
        let (status, headers) = (response.status(), response.headers().clone());
        if status != 200 {
            panic!("{status}: {}", response.text().await.unwrap_or_default());
        }
        Self { response, text: String::new(), headers }
    }

    /// Opens a stream and reads its `hello`. From then on it is told everything.
    pub async fn listen(api: &Api, query: &str) -> Self {
        let mut stream = Self::open(api, query).await;
        assert_eq!(stream.expect("hello").await.event, "hello");
        stream
    }

    /// The next message; None when the replica has ended the stream.
    pub async fn next(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.read()).await.expect("a message comes")
    }

    async fn read(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (parse(message), rest.to_string());
                self.text = rest;
                match message {
                    Some(message) => return Some(message),
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("the replica writes whole messages"));
        }
    }

    /// The next message that is not a bookmark.
    pub async fn told(&mut self) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if message.event != "bookmark" {
                return message;
            }
        }
    }

    /// The next message that is not a bookmark, which must be of this type.
    pub async fn expect(&mut self, event: &str) -> Message {
        let message = self.told().await;
        assert_eq!(message.event, event, "{message:?}");
        assert_eq!(message.data["type"], event, "{message:?}");
        message
    }

    /// Reads until a message of this type comes.
    pub async fn until(&mut self, event: &str) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if message.event == event {
                return message;
            }
        }
    }

    /// Reads to the end.
    pub async fn rest(mut self) -> Vec<Message> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }
}

/// A message; None if it is only a `retry`.
fn parse(text: &str) -> Option<Message> {
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let first = lines.next().map(String::from);
        assert!(lines.next().is_none(), "one line: {text}");
        first
    };
    let data = field("data")?;
    let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
    Some(Message { event: field("event").expect("a type"), id: field("id"), data })
}

/// The answer to a long poll.
pub async fn poll(api: &Api, query: &str) -> Value {
    let path = format!("/api/v1/events{query}");
    let answer = api.send(crate::harness::Method::GET, &path, &[("Accept", "application/json")], None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

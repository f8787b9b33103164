//! Sends a request and reads its answer, and sends the request again while that makes sense.

use std::{sync::Arc, time::Duration};

use gorilla_wire::{Code, EVENT_STREAM, Facts, Outcome};
use reqwest::{
    Method, Response, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    Token,
    clock::{Moment, sleep_until},
    error::{Busy, Error, Holder, Lost, Sharing},
    why::{PastBreak, Why},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer may take, beside the time that the request waits for the lock. The server gives Redis a second.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long copies of a request may be sent with one key. The server knows a key for a minute.
pub const KEY_LASTS: Duration = Duration::from_secs(55);
/// The pauses after the first attempt and after many attempts. They vary at random, so that clients that failed
/// together don't come back together.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// The longest pause of a client that waits in the queue. If the replica of a waiter has ended, the server keeps a free
/// lock for the waiter for at most a second, so the client must be back within that time.
const LONGEST_PAUSE_OF_A_WAITER: Duration = Duration::from_millis(500);

/// The way to a server. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Wire {
    pub http: reqwest::Client,
    pub url: Arc<str>,
    /// The address of the proxy in front of the server, if there is one.
    pub proxy: Option<Arc<str>>,
    pub api_key: Option<HeaderValue>,
    /// How long to send a request again while the server can't be reached or can't serve.
    pub patience: Duration,
}

/// A request. With the same key each time it is safe to send the request again.
pub struct Request<'a> {
    pub method: Method,
    /// The part of the URL behind the address of the server.
    pub path: String,
    pub token: Option<&'a Token>,
    pub key: Option<&'a str>,
    pub body: Option<Value>,
    /// How long the whole answer may take.
    pub timeout: Duration,
}

/// An answer of the server.
pub enum Answer {
    /// The server has executed the request. When the client sent it, and the body of the answer.
    Done(Moment, Value),
    /// The server has not executed the request, and would not execute it if the client sent it again.
    Refused(Box<Refusal>),
}

/// A refusal in the words of the server.
pub struct Refusal {
    /// A code of this version or of a later version.
    pub code: String,
    pub message: String,
    facts: Facts,
    request_id: Option<String>,
}

/// No answer, or an answer after which the client should try again.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Whether the request may have been executed.
    pub in_doubt: bool,
    pub why: Why,
    /// How long the client should pause, if the server says so.
    after: Option<Duration>,
}

impl Trouble {
    /// The same for a request that changes nothing, so that no outcome is in doubt.
    pub fn of_a_read(self) -> Self {
        Self { in_doubt: false, ..self }
    }
}

/// What the head of an answer tells beside the status.
#[derive(Default)]
pub struct Hints {
    /// How long the client should pause.
    pub after: Option<Duration>,
    /// The id of the request in the log of the server.
    pub request_id: Option<String>,
}

/// Counts attempts and spaces them.
pub struct Retry {
    attempt: u32,
    /// The longest pause, whatever the server asks for.
    longest: Duration,
    /// The trouble of an attempt that may have been executed. Later troubles don't replace it, unless they are in doubt
    /// too.
    doubt: Option<Trouble>,
}

impl Retry {
    pub fn new() -> Self {
        Self { attempt: 0, longest: BACKOFF.1, doubt: None }
    }

    /// For a client that waits in the queue, and must be back at its place soon.
    pub fn of_waiter() -> Self {
        Self { longest: LONGEST_PAUSE_OF_A_WAITER, ..Self::new() }
    }

    /// Sleeps until the next attempt. An error says why there is no next attempt.
    pub async fn pause(&mut self, trouble: Trouble, give_up: Moment) -> Result<(), Error> {
        let (first, longest) = (BACKOFF.0, self.longest);
        let exponential =
            first.saturating_mul(1 << self.attempt.min(10)).min(longest).mul_f64(0.5 + fastrand::f64() / 2.0);
        let pause = trouble.after.unwrap_or_default().min(longest).max(exponential);
        let next = Moment::now() + pause;
        self.attempt += 1;
        if trouble.in_doubt {
            self.doubt = Some(trouble.clone());
        }
        if next >= give_up {
            return Err(self.doubt.take().unwrap_or(trouble).into());
        }
        sleep_until(next).await;
        // The machine may have been suspended meanwhile.
        if Moment::now() >= give_up {
            return Err(self.doubt.take().unwrap_or(trouble).into());
        }
        Ok(())
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        if trouble.in_doubt { Self::Unknown(trouble.why) } else { Self::Unavailable(trouble.why) }
    }
}

impl Refusal {
    /// The code, if this version knows it.
    pub fn known(&self) -> Option<Code> {
        self.code.parse().ok()
    }

    /// Why the lock could not be acquired.
    pub fn busy(&self) -> Busy {
        let Facts { owner, fence, ttl_ms, waiting, position, used, limit, holder_count, resource, .. } = &self.facts;
        let holder =
            || Some(Holder { owner: owner.clone()?, fence: (*fence)?, ttl: Duration::from_millis((*ttl_ms)?) });
        let sharing = || Some(Sharing { used: (*used)?, limit: *limit, holder_count: (*holder_count)? });
        Busy {
            resource: resource.clone(),
            holder: holder(),
            sharing: sharing(),
            waiting: waiting.unwrap_or_default(),
            position: *position,
            request_id: self.request_id.clone(),
        }
    }

    /// The field that breaks a rule.
    pub fn field(&self) -> Option<&str> {
        self.facts.field.as_deref()
    }

    /// If somebody breaks the lock that this request would have renewed: how long the lock still lasts.
    pub fn grace(&self) -> Option<Duration> {
        let is_breaking = self.known() == Some(Code::LockBreaking);
        self.facts.ttl_ms.filter(|_| is_breaking).map(Duration::from_millis)
    }

    /// What it means to a client that had the lock.
    pub fn lost_or_refused(self) -> Error {
        match self.known() {
            Some(Code::LockNotFound | Code::TokenNotFound | Code::TokenMismatch | Code::LockGone) => {
                let (by, reason) = (self.facts.broken_by, self.facts.reason);
                let broken = self.facts.broken_at.map(|at| PastBreak { at, by, reason });
                Error::Lost(Lost::Ended(Why::of_request(self.message, self.request_id).after(broken)))
            }
            _ => self.into(),
        }
    }

    /// What it means to a client that wanted to convert its lock.
    pub fn not_converted(self) -> Error {
        match self.known() {
            // Others share the lock.
            Some(Code::LockHeld) => Error::NotAcquired(Box::new(self.busy())),
            _ => self.lost_or_refused(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, message, facts, request_id } = refusal;
        Self::Refused { code, message, field: facts.field, request_id }
    }
}

impl Wire {
    /// When the patience ends with a request that begins now.
    pub fn give_up(&self) -> Moment {
        Moment::now() + self.patience
    }

    /// Sends a request until there is an answer, or until `give_up`; with one key for [`KEY_LASTS`] at most.
    pub async fn send(&self, request: &Request<'_>, give_up: Moment) -> Result<Answer, Error> {
        self.send_telling(request, give_up, |_| {}).await
    }

    /// The same, which calls `trouble` with why there is no answer yet.
    pub async fn send_telling(
        &self,
        request: &Request<'_>,
        give_up: Moment,
        trouble: impl Fn(&str),
    ) -> Result<Answer, Error> {
        let mut retry = Retry::new();
        let give_up = request.key.map_or(give_up, |_| give_up.min(Moment::now() + KEY_LASTS));
        loop {
            match self.exchange(request).await {
                Ok(answer) => return Ok(answer),
                Err(met) => {
                    trouble(&met.why);
                    retry.pause(met, give_up).await?;
                }
            }
        }
    }

    /// Opens a stream of events, once. What the server answers instead of a stream, if it refuses, is the error outside; the
    /// error inside is trouble that may pass.
    pub async fn open(&self, path: &str) -> Result<Result<Response, Trouble>, Error> {
        let mut builder = self.http.get(format!("{}{path}", self.url)).header(header::ACCEPT, EVENT_STREAM);
        if let Some(api_key) = &self.api_key {
            builder = builder.header(header::AUTHORIZATION, api_key.clone());
        }
        let sent = Moment::now();
        let late = || Trouble {
            in_doubt: false,
            why: format!("{} did not answer in time{}", self.url, self.way()).into(),
            after: None,
        };
        let response = match timeout(ANSWER_TIMEOUT, builder.send()).await {
            Err(_) => return Ok(Err(late())),
            Ok(Err(error)) => return Ok(Err(self.trouble(&error))),
            Ok(Ok(response)) => response,
        };
        let is_stream = |value: &HeaderValue| value.as_bytes().starts_with(EVENT_STREAM.as_bytes());
        let is_stream = response.headers().get(header::CONTENT_TYPE).is_some_and(is_stream);
        if response.status() == StatusCode::OK && is_stream {
            return Ok(Ok(response));
        }
        let answer = match timeout(ANSWER_TIMEOUT, self.finish(sent, response)).await {
            Err(_) => return Ok(Err(late())),
            Ok(answer) => answer,
        };
        match answer {
            Err(trouble) => Ok(Err(trouble)),
            Ok(Answer::Refused(refusal)) => Err((*refusal).into()),
            Ok(Answer::Done(..)) => {
                let why = format!("{} answers something else than a stream of events{}", self.url, self.way());
                Err(Error::Unavailable(why.into()))
            }
        }
    }

    /// Sends a request once.
    pub async fn exchange(&self, request: &Request<'_>) -> Result<Answer, Trouble> {
        let mut builder = self.http.request(request.method.clone(), format!("{}{}", self.url, request.path));
        builder = builder.timeout(request.timeout).header(header::ACCEPT, "application/json");
        if let Some(token) = request.token {
            builder = builder.header("Lock-Token", token.expose());
        }
        if let Some(key) = request.key {
            builder = builder.header("Idempotency-Key", key);
        }
        if let Some(api_key) = &self.api_key {
            builder = builder.header(header::AUTHORIZATION, api_key.clone());
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let sent = Moment::now();
        let response = builder.send().await.map_err(|error| self.trouble(&error))?;
        self.finish(sent, response).await
    }

    /// Reads the rest of an answer.
    async fn finish(&self, sent: Moment, response: Response) -> Result<Answer, Trouble> {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.bytes().await.map_err(|error| self.trouble(&error))?;
        let text_of = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let after = text_of(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let request_id = text_of(REQUEST_ID).map(String::from);
        let body = serde_json::from_slice(&text).unwrap_or(Value::Null);
        self.judge(sent, status, Hints { after, request_id }, body)
    }

    /// What an answer means, or an item of the answer to a batch.
    pub fn judge(&self, sent: Moment, status: StatusCode, hints: Hints, body: Value) -> Result<Answer, Trouble> {
        if status.is_success() {
            return Ok(Answer::Done(sent, body));
        }
        let said = serde_json::from_value::<gorilla_wire::Error<String>>(body).ok();
        let passing = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY);
        // A proxy or load balancer may answer instead of Gorilla, and does not know whether the request was executed.
        let not_gorilla = || gorilla_wire::Error {
            error_message: format!("{} answers {status}{}, which is not an answer of Gorilla", self.url, self.way()),
            code: String::new(),
            outcome: Outcome::Unknown,
            facts: Facts::default(),
        };
        let gorilla_wire::Error { error_message, code, outcome, facts } = said.unwrap_or_else(not_gorilla);
        let message = match error_message.is_empty() {
            true => format!("{} answers {status} with the code {code:?}", self.url),
            false => error_message,
        };
        if !passing {
            return Ok(Answer::Refused(Box::new(Refusal { code, message, facts, request_id: hints.request_id })));
        }
        let in_doubt = status.is_server_error() && outcome != Outcome::NotExecuted;
        let why = Why::of_request(message.trim_end_matches('.'), hints.request_id);
        Err(Trouble { in_doubt, why, after: hints.after })
    }

    /// The proxy, if there is one, as the end of a clause: the proxy may be at fault.
    fn way(&self) -> String {
        self.proxy.as_ref().map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"))
    }

    /// The trouble of a request without an answer.
    fn trouble(&self, error: &reqwest::Error) -> Trouble {
        // The innermost cause says what is wrong. The words of reqwest repeat the address.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let why = match error.is_timeout() && !error.is_connect() {
            true => format!("{} did not answer in time{}", self.url, self.way()),
            false => format!("{} can't be reached{} ({cause}{})", self.url, self.way(), hint(cause)),
        };
        Trouble { in_doubt: !error.is_connect() && !error.is_builder(), why: why.into(), after: None }
    }
}

/// What a cause means that does not say it itself.
fn hint(cause: &dyn std::error::Error) -> &'static str {
    let cause = cause.to_string();
    // The signature is bad if an authority that the client trusts has the name of the one that issued the certificate.
    if cause.contains("UnknownIssuer") || cause.contains("BadSignature") {
        return ": this client does not trust the authority that issued the certificate of the server";
    }
    // A certificate that `openssl req -x509` makes is one of an authority, unless it is told otherwise.
    if cause.contains("CaUsedAsEndEntity") {
        return ": the server presents the certificate of an authority; give it one with basicConstraints CA:FALSE";
    }
    ""
}

/// Reads the body of a success.
pub fn read<T: DeserializeOwned>(body: Value) -> Result<T, Error> {
    serde_json::from_value(body).map_err(|error| Error::Unknown(format!("the answer makes no sense: {error}").into()))
}

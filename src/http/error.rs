//! From what went wrong to HTTP: one table of codes and messages.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use gorilla_wire::{Code, Error, Facts, Outcome, Problem, seconds};

use crate::lock::{Failure, Holder, Invalid, ResourceName};

/// Every answer that is no success.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// A field breaks its rule.
    Invalid(Invalid),
    /// The body is no JSON object, or its fields are not those of the operation.
    MalformedBody(String),
    /// The request is for a host that this replica does not serve.
    HostNotAllowed(String),
    /// A browser sent a write for a page of another origin.
    CrossOrigin,
    /// The body has a type that is not JSON, or no type.
    UnsupportedMediaType(Option<String>),
    /// The body is compressed.
    UnsupportedEncoding(String),
    /// The body is longer than `body::LONGEST`.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout(Duration),
    /// PUT or DELETE without a token.
    MissingToken,
    /// No route has the path.
    UnknownPath,
    /// The route doesn't have the method.
    MethodNotAllowed,
    /// An acquire found the lock held.
    LockHeld { resource: ResourceName, holder: Holder, waiting: u64 },
    /// An acquire found the lock free, and others waiting for it.
    LockReserved { resource: ResourceName, waiting: u64 },
    /// An acquire waited in vain.
    WaitTimeout { resource: ResourceName, wait: Duration, why: InTheWay, waiting: u64, position: u64 },
    /// An acquire found nobody holding the lock, but whoever does may have been lost; for so many milliseconds.
    Recovering { resource: ResourceName, left: u64, waiting: u64 },
    /// An acquire that was granted before, to the same Idempotency-Key, unless that grant has ended and another was made
    /// which Redis has lost; for so many milliseconds.
    Unsettled { resource: ResourceName, left: u64 },
    /// As many wait for the lock as may.
    QueueFull { resource: ResourceName, waiting: u64 },
    /// Nobody holds the lock.
    LockNotFound { resource: ResourceName },
    /// The token is not that of the lock; nothing is told of the lock.
    TokenNotFound { resource: ResourceName, is_uuid: bool },
    /// An extend found the lock held under another token.
    TokenMismatch { resource: ResourceName, holder: Holder },
    /// An extend would shorten the lease.
    TimeoutShorter { ttl: u64, asked: u64 },
    /// A break named another grant than the one that stands.
    FenceChanged { resource: ResourceName, holder: Holder },
    /// A replayed request had taken or extended a lock that has ended since.
    LockGone { resource: ResourceName },
    /// An Idempotency-Key came before with another request.
    KeyReused,
    /// The replica ends: said by `/_ready`, and to those who wait.
    Draining,
    /// `/_ready` while Redis doesn't take writes. Says why.
    NotReady(String),
    /// There is no outcome.
    Store(Failure),
    /// A bug in Gorilla.
    Panic,
}

/// What a waiter waited for in vain.
#[derive(Clone, Debug)]
pub enum InTheWay {
    /// Who holds the lock.
    Holder(Holder),
    /// Those who came before.
    Queue,
    /// Data of Redis that may have been lost, for so many milliseconds.
    Recovery { left: u64 },
}

/// How an [`ApiError`] looks from outside.
pub struct Shape {
    /// What the body tells.
    pub body: Error,
    /// In seconds.
    pub retry_after: Option<u64>,
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl ApiError {
    /// The table.
    pub fn shape(&self) -> Shape {
        let (code, message): (Code, Cow<str>) = match self {
            Self::Invalid(invalid) => (Code::InvalidRequest, format!("{invalid}.").into()),
            Self::MalformedBody(problem) => (Code::InvalidRequest, format!("The body {problem}.").into()),
            Self::HostNotAllowed(host) => (
                Code::HostNotAllowed,
                format!(
                    "This replica does not serve the host {host:?}; name that host in the setting \
                     server.allowed_hosts, or use localhost on the machine that serves."
                )
                .into(),
            ),
            Self::CrossOrigin => (
                Code::CrossOrigin,
                "A browser sent this request for a page of another site, and such a page may not change locks; \
                 send the request from a page of this host, or from a program that is not a browser."
                    .into(),
            ),
            Self::UnsupportedMediaType(given) => {
                let given = match given {
                    Some(given) => format!("Content-Type is {given:?}"),
                    None => "The body has no Content-Type".into(),
                };
                let message = format!("{given}; it must be application/json.");
                (Code::UnsupportedMediaType, message.into())
            }
            Self::UnsupportedEncoding(given) => (
                Code::UnsupportedMediaType,
                format!("Content-Encoding is {given:?}; send the body uncompressed, without this header.").into(),
            ),
            Self::BodyTooLarge => (
                Code::BodyTooLarge,
                format!("The body is too long; it must be at most {} bytes.", super::body::LONGEST).into(),
            ),
            Self::BodyTimeout(limit) => (
                Code::BodyTimeout,
                format!("The body did not arrive within {} s.", limit.as_secs_f64()).into(),
            ),
            Self::MissingToken => (
                Code::TokenRequired,
                "The token of the lock is missing: send it in the header Lock-Token or as the last part of the path.".into(),
            ),
            Self::UnknownPath => (
                Code::NotFound,
                "There is nothing at this path; locks are at /api/v1/locks/{resource}.".into(),
            ),
            Self::MethodNotAllowed => (
                Code::MethodNotAllowed,
                "This path does not have this method; the header Allow lists those it has.".into(),
            ),
            Self::LockHeld { resource, holder, .. } => {
                (Code::LockHeld, format!("{}; try again later.", held(resource, holder)).into())
            }
            Self::LockReserved { resource, waiting } => {
                let resource = resource.as_str();
                let message = format!("{resource:?} is free, but requests that came before wait for it ({waiting}); send \"wait\" to join them, or try again later.");
                (Code::LockReserved, message.into())
            }
            Self::WaitTimeout { resource, wait, why, position, .. } => {
                let held = match why {
                    InTheWay::Holder(holder) => held(resource, holder),
                    InTheWay::Recovery { left } => recovering(resource, *left),
                    InTheWay::Queue => format!("{:?} is about to be taken by the next in the queue", resource.as_str()),
                };
                let waited = wait.as_secs_f64();
                let message = format!("Not granted within {waited} s: {held}, and this request was number {position} in the queue; sent again within 10 s with the same Idempotency-Key, it keeps its place.");
                (Code::WaitTimeout, message.into())
            }
            Self::Recovering { resource, left, .. } => {
                let message = format!("{}; send \"wait\" to be granted it in turn, or try again then.", recovering(resource, *left));
                (Code::Recovering, message.into())
            }
            Self::Unsettled { resource, left } => {
                let message = format!("{}; the first request with this Idempotency-Key was granted it, and whether that stands is certain then: send it again.", recovering(resource, *left));
                (Code::Recovering, message.into())
            }
            Self::QueueFull { resource, waiting } => {
                let message = format!("{waiting} requests wait for {:?}, as many as may; try again later.", resource.as_str());
                (Code::QueueFull, message.into())
            }
            Self::LockNotFound { resource } => {
                (Code::LockNotFound, format!("Nobody holds a lock on {:?}.", resource.as_str()).into())
            }
            Self::TokenNotFound { resource, is_uuid } => {
                let why = if *is_uuid { "it was superseded by an extend, or was never valid" } else { "a token is a UUID" };
                let resource = resource.as_str();
                (Code::TokenNotFound, format!("The token is not that of a lock on {resource:?}: {why}.").into())
            }
            Self::TokenMismatch { resource, holder } => {
                (Code::TokenMismatch, format!("{}, under another token.", held(resource, holder)).into())
            }
            Self::TimeoutShorter { ttl, asked } => (
                Code::TimeoutShorter,
                format!(
                    "timeout is {} s, which is less than the {} s that remain; an extend never shortens a lease.",
                    seconds(*asked),
                    seconds(*ttl)
                )
                .into(),
            ),
            Self::FenceChanged { resource, holder } => {
                let held = held(resource, holder);
                (Code::FenceChanged, format!("The grant with that fence has ended; {held}.").into())
            }
            Self::LockGone { resource } => (
                Code::LockGone,
                format!(
                    "The first request with this Idempotency-Key succeeded, but its lease on {:?} has ended since; use a new key to ask again.",
                    resource.as_str()
                )
                .into(),
            ),
            Self::KeyReused => (
                Code::IdempotencyKeyReused,
                "This Idempotency-Key came before with another request on the same resource; use a new key.".into(),
            ),
            Self::Draining => (Code::Draining, "This replica is about to end; send the request again, with the same Idempotency-Key if it waited, which keeps its place for 10 s.".into()),
            Self::NotReady(why) => (Code::NotReady, format!("{why}.").into()),
            Self::Store(Failure::Unreachable(why)) => (
                Code::RedisUnavailable,
                format!("Redis can't be reached ({why}); nothing was done.").into(),
            ),
            Self::Store(Failure::Refused(prefix)) => (
                Code::RedisRefused,
                format!("Redis can't serve this now ({prefix}); nothing was done.").into(),
            ),
            Self::Store(Failure::Overloaded) => (
                Code::Overloaded,
                "As many requests wait for Redis as this replica allows; nothing was done.".into(),
            ),
            Self::Store(Failure::NotReplicated) => (
                Code::NotReplicated,
                "Too few replicas of Redis confirmed the grant in time, so it was undone: a failover could have lost it.".into(),
            ),
            Self::Store(Failure::Unknown(_)) => (
                Code::OutcomeUnknown,
                "The request was sent to Redis and was not confirmed, so it may have been done or not. Send it again, with the same Idempotency-Key if it has one; an acquire that nobody asks for again is undone.".into(),
            ),
            Self::Store(Failure::Broken(_)) | Self::Panic => (
                Code::InternalError,
                "Something is wrong inside of Gorilla or Redis; the log of this replica has the cause under this X-Request-Id.".into(),
            ),
        };
        let outcome = match self {
            Self::Store(Failure::Unknown(_) | Failure::Broken(_)) | Self::Unsettled { .. } | Self::Panic => {
                Outcome::Unknown
            }
            _ => Outcome::NotExecuted,
        };
        let retry_after = match self {
            Self::Store(failure) => failure.retry_after().map(|wait| wait.as_secs()),
            Self::Recovering { left, .. } | Self::Unsettled { left, .. } => Some(left.div_ceil(1000)),
            Self::Draining | Self::NotReady(_) | Self::QueueFull { .. } => Some(1),
            _ => None,
        };
        let body = Error { error_message: message.into(), code, outcome, facts: self.facts() };
        Shape { body, retry_after }
    }

    /// What goes into the log and not to the client.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Store(Failure::Broken(cause) | Failure::Unknown(cause)) => Some(cause),
            _ => None,
        }
    }

    fn facts(&self) -> Facts {
        let about = |resource: &ResourceName| Facts { resource: Some(resource.as_str().into()), ..Facts::default() };
        let held = |resource: &ResourceName, holder: &Holder| Facts {
            owner: Some(holder.owner.clone()),
            fence: Some(holder.fence),
            ttl_ms: Some(holder.ttl),
            ..about(resource)
        };
        let recovering = |resource, left: u64| Facts { recovering_ms: Some(left), ..about(resource) };
        match self {
            Self::Invalid(invalid) => Facts { field: Some(invalid.field.into()), ..Facts::default() },
            Self::LockHeld { resource, holder, waiting } => Facts { waiting: Some(*waiting), ..held(resource, holder) },
            Self::WaitTimeout { resource, why, waiting, position, .. } => {
                let in_the_way = match why {
                    InTheWay::Holder(holder) => held(resource, holder),
                    InTheWay::Recovery { left } => recovering(resource, *left),
                    InTheWay::Queue => about(resource),
                };
                Facts { waiting: Some(*waiting), position: Some(*position), ..in_the_way }
            }
            Self::TokenMismatch { resource, holder } | Self::FenceChanged { resource, holder } => {
                held(resource, holder)
            }
            Self::Recovering { resource, left, waiting } => {
                Facts { waiting: Some(*waiting), ..recovering(resource, *left) }
            }
            Self::Unsettled { resource, left } => recovering(resource, *left),
            Self::LockReserved { resource, waiting } | Self::QueueFull { resource, waiting } => {
                Facts { waiting: Some(*waiting), ..about(resource) }
            }
            Self::LockNotFound { resource } | Self::TokenNotFound { resource, .. } | Self::LockGone { resource } => {
                about(resource)
            }
            Self::TimeoutShorter { ttl, .. } => Facts { ttl_ms: Some(*ttl), ..Facts::default() },
            _ => Facts::default(),
        }
    }
}

impl Shape {
    /// The answer, as RFC 9457 has it if `problem`, else in Gorilla's own form.
    pub fn into_response(self, problem: bool) -> Response {
        let status = self.body.code.status();
        let (content_type, body) = match problem {
            true => ("application/problem+json", serde_json::to_vec(&Problem::from(self.body))),
            false => ("application/json", serde_json::to_vec(&self.body)),
        };
        // Neither form can fail to serialise: their keys are strings.
        let body = body.unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, content_type)], body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Leaves the body to `observe`, which knows what form the client wants.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn recovering(resource: &ResourceName, left: u64) -> String {
    let resource = resource.as_str();
    format!("Redis may have lost who holds {resource:?}, so nobody is granted it for another {} s", seconds(left))
}

fn held(resource: &ResourceName, holder: &Holder) -> String {
    format!("{:?} is held by {:?} for another {} s", resource.as_str(), holder.owner, seconds(holder.ttl))
}

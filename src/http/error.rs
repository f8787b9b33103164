//! From what went wrong to HTTP: one table of statuses, codes and messages.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::seconds;
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
    /// The status.
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    /// A sentence that a person can act on.
    pub message: String,
    /// Whether the operation happened: `not_executed` or `unknown`.
    pub outcome: &'static str,
    /// More members of the body.
    pub facts: Map<String, Value>,
    /// In seconds.
    pub retry_after: Option<u64>,
}

/// Gorilla's own form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorMessage {
    error_message: String,
    code: &'static str,
    outcome: &'static str,
    #[serde(flatten)]
    facts: Map<String, Value>,
}

/// RFC 9457, with Gorilla's facts as extension members.
#[derive(Serialize)]
struct ProblemDetails {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    code: &'static str,
    outcome: &'static str,
    #[serde(flatten)]
    facts: Map<String, Value>,
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
        use StatusCode as S;
        let (status, code, message): (S, &str, Cow<str>) = match self {
            Self::Invalid(invalid) => (S::BAD_REQUEST, "invalid_request", format!("{invalid}.").into()),
            Self::MalformedBody(problem) => (S::BAD_REQUEST, "invalid_request", format!("The body {problem}.").into()),
            Self::HostNotAllowed(host) => (
                S::MISDIRECTED_REQUEST,
                "host_not_allowed",
                format!(
                    "This replica does not serve the host {host:?}; name that host in the setting \
                     server.allowed_hosts, or use localhost on the machine that serves."
                )
                .into(),
            ),
            Self::CrossOrigin => (
                S::FORBIDDEN,
                "cross_origin",
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
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message.into())
            }
            Self::UnsupportedEncoding(given) => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                format!("Content-Encoding is {given:?}; send the body uncompressed, without this header.").into(),
            ),
            Self::BodyTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("The body is too long; it must be at most {} bytes.", super::body::LONGEST).into(),
            ),
            Self::BodyTimeout(limit) => (
                S::REQUEST_TIMEOUT,
                "body_timeout",
                format!("The body did not arrive within {} s.", limit.as_secs_f64()).into(),
            ),
            Self::MissingToken => (
                S::BAD_REQUEST,
                "token_required",
                "The token of the lock is missing: send it in the header Lock-Token or as the last part of the path.".into(),
            ),
            Self::UnknownPath => (
                S::NOT_FOUND,
                "not_found",
                "There is nothing at this path; locks are at /api/v1/locks/{resource}.".into(),
            ),
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This path does not have this method; the header Allow lists those it has.".into(),
            ),
            Self::LockHeld { resource, holder, .. } => {
                (S::CONFLICT, "lock_held", format!("{}; try again later.", held(resource, holder)).into())
            }
            Self::LockReserved { resource, waiting } => {
                let resource = resource.as_str();
                let message = format!("{resource:?} is free, but requests that came before wait for it ({waiting}); send \"wait\" to join them, or try again later.");
                (S::CONFLICT, "lock_reserved", message.into())
            }
            Self::WaitTimeout { resource, wait, why, position, .. } => {
                let held = match why {
                    InTheWay::Holder(holder) => held(resource, holder),
                    InTheWay::Recovery { left } => recovering(resource, *left),
                    InTheWay::Queue => format!("{:?} is about to be taken by the next in the queue", resource.as_str()),
                };
                let waited = wait.as_secs_f64();
                let message = format!("Not granted within {waited} s: {held}, and this request was number {position} in the queue; sent again within 10 s with the same Idempotency-Key, it keeps its place.");
                (S::CONFLICT, "wait_timeout", message.into())
            }
            Self::Recovering { resource, left, .. } => {
                let message = format!("{}; send \"wait\" to be granted it in turn, or try again then.", recovering(resource, *left));
                (S::SERVICE_UNAVAILABLE, "recovering", message.into())
            }
            Self::Unsettled { resource, left } => {
                let message = format!("{}; the first request with this Idempotency-Key was granted it, and whether that stands is certain then: send it again.", recovering(resource, *left));
                (S::SERVICE_UNAVAILABLE, "recovering", message.into())
            }
            Self::QueueFull { resource, waiting } => {
                let message = format!("{waiting} requests wait for {:?}, as many as may; try again later.", resource.as_str());
                (S::TOO_MANY_REQUESTS, "queue_full", message.into())
            }
            Self::LockNotFound { resource } => {
                (S::NOT_FOUND, "lock_not_found", format!("Nobody holds a lock on {:?}.", resource.as_str()).into())
            }
            Self::TokenNotFound { resource, is_uuid } => {
                let why = if *is_uuid { "it was superseded by an extend, or was never valid" } else { "a token is a UUID" };
                let resource = resource.as_str();
                (S::NOT_FOUND, "token_not_found", format!("The token is not that of a lock on {resource:?}: {why}.").into())
            }
            Self::TokenMismatch { resource, holder } => {
                (S::CONFLICT, "token_mismatch", format!("{}, under another token.", held(resource, holder)).into())
            }
            Self::TimeoutShorter { ttl, asked } => (
                S::CONFLICT,
                "timeout_shorter",
                format!(
                    "timeout is {} s, which is less than the {} s that remain; an extend never shortens a lease.",
                    seconds(*asked),
                    seconds(*ttl)
                )
                .into(),
            ),
            Self::FenceChanged { resource, holder } => {
                let held = held(resource, holder);
                (S::CONFLICT, "fence_changed", format!("The grant with that fence has ended; {held}.").into())
            }
            Self::LockGone { resource } => (
                S::CONFLICT,
                "lock_gone",
                format!(
                    "The first request with this Idempotency-Key succeeded, but its lease on {:?} has ended since; use a new key to ask again.",
                    resource.as_str()
                )
                .into(),
            ),
            Self::KeyReused => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key came before with another request on the same resource; use a new key.".into(),
            ),
            Self::Draining => (S::SERVICE_UNAVAILABLE, "draining", "This replica is about to end; send the request again, with the same Idempotency-Key if it waited, which keeps its place for 10 s.".into()),
            Self::NotReady(why) => (S::SERVICE_UNAVAILABLE, "not_ready", format!("{why}.").into()),
            Self::Store(Failure::Unreachable(why)) => (
                S::SERVICE_UNAVAILABLE,
                "redis_unavailable",
                format!("Redis can't be reached ({why}); nothing was done.").into(),
            ),
            Self::Store(Failure::Refused(prefix)) => (
                S::SERVICE_UNAVAILABLE,
                "redis_refused",
                format!("Redis can't serve this now ({prefix}); nothing was done.").into(),
            ),
            Self::Store(Failure::Overloaded) => (
                S::SERVICE_UNAVAILABLE,
                "overloaded",
                "As many requests wait for Redis as this replica allows; nothing was done.".into(),
            ),
            Self::Store(Failure::NotReplicated) => (
                S::SERVICE_UNAVAILABLE,
                "not_replicated",
                "Too few replicas of Redis confirmed the grant in time, so it was undone: a failover could have lost it.".into(),
            ),
            Self::Store(Failure::Unknown(_)) => (
                S::GATEWAY_TIMEOUT,
                "outcome_unknown",
                "The request was sent to Redis and was not confirmed, so it may have been done or not. Send it again, with the same Idempotency-Key if it has one; an acquire that nobody asks for again is undone.".into(),
            ),
            Self::Store(Failure::Broken(_)) | Self::Panic => (
                S::INTERNAL_SERVER_ERROR,
                "internal_error",
                "Something is wrong inside of Gorilla or Redis; the log of this replica has the cause under this X-Request-Id.".into(),
            ),
        };
        let outcome = match self {
            Self::Store(Failure::Unknown(_) | Failure::Broken(_)) | Self::Unsettled { .. } | Self::Panic => "unknown",
            _ => "not_executed",
        };
        let retry_after = match self {
            Self::Store(failure) => failure.retry_after().map(|wait| wait.as_secs()),
            Self::Recovering { left, .. } | Self::Unsettled { left, .. } => Some(left.div_ceil(1000)),
            Self::Draining | Self::NotReady(_) | Self::QueueFull { .. } => Some(1),
            _ => None,
        };
        Shape { status, code, message: message.into(), outcome, facts: self.facts(), retry_after }
    }

    /// What goes into the log and not to the client.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Store(Failure::Broken(cause) | Failure::Unknown(cause)) => Some(cause),
            _ => None,
        }
    }

    fn facts(&self) -> Map<String, Value> {
        let holder = |resource: &ResourceName, holder: &Holder| json!({ "resource": resource.as_str(), "owner": holder.owner, "fence": holder.fence, "ttlMs": holder.ttl });
        let mut facts = match self {
            Self::Invalid(invalid) => json!({ "field": invalid.field }),
            Self::LockHeld { resource, holder: by, .. }
            | Self::WaitTimeout { resource, why: InTheWay::Holder(by), .. }
            | Self::TokenMismatch { resource, holder: by }
            | Self::FenceChanged { resource, holder: by } => holder(resource, by),
            Self::WaitTimeout { resource, why: InTheWay::Recovery { left }, .. }
            | Self::Recovering { resource, left, .. }
            | Self::Unsettled { resource, left } => json!({ "resource": resource.as_str(), "recoveringMs": left }),
            Self::WaitTimeout { resource, why: InTheWay::Queue, .. }
            | Self::LockReserved { resource, .. }
            | Self::QueueFull { resource, .. }
            | Self::LockNotFound { resource }
            | Self::TokenNotFound { resource, .. }
            | Self::LockGone { resource } => {
                json!({ "resource": resource.as_str() })
            }
            Self::TimeoutShorter { ttl, .. } => json!({ "ttlMs": ttl }),
            _ => json!({}),
        };
        if let Self::LockHeld { waiting, .. }
        | Self::LockReserved { waiting, .. }
        | Self::WaitTimeout { waiting, .. }
        | Self::Recovering { waiting, .. }
        | Self::QueueFull { waiting, .. } = self
        {
            facts["waiting"] = (*waiting).into();
        }
        if let Self::WaitTimeout { position, .. } = self {
            facts["position"] = (*position).into();
        }
        match facts {
            Value::Object(facts) => facts,
            _ => Map::new(),
        }
    }
}

impl Shape {
    /// The answer, as RFC 9457 has it if `problem`, else in Gorilla's own form.
    pub fn into_response(self, problem: bool) -> Response {
        let (code, outcome, facts) = (self.code, self.outcome, self.facts);
        let (content_type, body) = if problem {
            let (kind, title) = (format!("urn:gorilla:problem:{code}"), code.replace('_', " "));
            let body = ProblemDetails {
                kind,
                title,
                status: self.status.as_u16(),
                detail: self.message,
                code,
                outcome,
                facts,
            };
            ("application/problem+json", serde_json::to_vec(&body))
        } else {
            let body = ErrorMessage { error_message: self.message, code, outcome, facts };
            ("application/json", serde_json::to_vec(&body))
        };
        // Neither form can fail to serialise: their keys are strings.
        let body = body.unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, content_type)], body).into_response();
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

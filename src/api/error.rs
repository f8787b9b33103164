//! What can go wrong with a request: every answer that is not a success.

use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Blocked, Failure, Group, Holder, PastBreak, ResourceName, Verb};

use super::invalid::Invalid;
use crate::{
    access::Reached,
    service::{Denied, Refusal},
};

/// Every answer that is not a success.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// A field breaks its rule.
    Invalid(Invalid),
    /// An item of a batch breaks a rule.
    InvalidItem { index: usize, field: Option<&'static str>, problem: String },
    /// The body is not a JSON object, or its fields are not those of the operation.
    MalformedBody(String),
    /// The request is for a host that this replica does not serve.
    HostNotAllowed(String),
    /// The request has no API key.
    AuthenticationRequired,
    /// The API key of the request is not valid. Says why, as part of a sentence.
    InvalidKey(&'static str),
    /// The API key does not allow this: its name, the verb, and the resource if the verb is about one.
    InsufficientScope { key: String, verb: Verb, resource: Option<ResourceName> },
    /// The API key takes locks only for owners whose names begin with `prefix`.
    OwnerNotAllowed { key: String, prefix: String },
    /// The API key has reached a limit of its quota.
    QuotaExceeded { key: String, reached: Reached },
    /// A browser sent a write for a page of another origin.
    CrossOrigin,
    /// The body has a type that is not JSON, or no type.
    UnsupportedMediaType(Option<String>),
    /// The body is compressed.
    UnsupportedEncoding(String),
    /// The body is longer than this, in bytes.
    BodyTooLarge { longest: usize },
    /// The body did not arrive in time.
    BodyTimeout(Duration),
    /// PUT or DELETE without a token.
    MissingToken,
    /// No route has the path.
    UnknownPath,
    /// The route doesn't have the method.
    MethodNotAllowed,
    /// An acquire found the lock held; or the lock can't be converted, because a group shares it.
    LockHeld { resource: ResourceName, holder: Holder, group: Option<Group>, waiting: Option<u64> },
    /// An acquire found the lock free, and others waiting for it.
    LockReserved { resource: ResourceName, waiting: u64 },
    /// The request names another limit than the one in force, or takes more permits than that.
    LimitMismatch { resource: ResourceName, limit: Option<u32> },
    /// As many clients share the lock as the settings allow.
    TooManyHolders { resource: ResourceName, holders: u64 },
    /// A break of a lock that a group shares names no fence.
    FenceRequired { resource: ResourceName, group: Group },
    /// An acquire waited in vain.
    WaitTimeout { resource: ResourceName, wait: Duration, blocked: Box<Blocked> },
    /// A later request has taken the place of a waiter.
    Replaced { resource: ResourceName },
    /// An acquire found that nobody holds the lock, but Redis may have lost a grant. Grants wait for this long.
    Recovering { resource: ResourceName, left: Duration, waiting: Option<u64> },
    /// The same Idempotency-Key was granted the lock before, but Redis may have lost that the grant has ended and that
    /// another client was granted the lock. It is certain after this long.
    Unsettled { resource: ResourceName, left: Duration },
    /// As many requests wait for the lock as the settings allow.
    QueueFull { resource: ResourceName, waiting: u64 },
    /// As many clients listen as a replica takes.
    TooManyListeners,
    /// The settings switch events off.
    EventsOff,
    /// Nobody holds the lock.
    LockNotFound { resource: ResourceName },
    /// The token is not that of the lock. The answer says nothing about the lock.
    TokenNotFound { resource: ResourceName, is_well_formed: bool },
    /// An extend found the lock held under another token.
    TokenMismatch { resource: ResourceName, holder: Holder },
    /// An extend came while somebody breaks the lock. The holder may keep it for this time.
    LockBreaking { resource: ResourceName, ttl: Duration },
    /// An extend would shorten the lease.
    TimeoutShorter { ttl: Duration, asked: Duration },
    /// A break named another grant than the current one.
    FenceChanged { resource: ResourceName, holder: Holder },
    /// A replayed request had taken or extended a lock that has ended since.
    LockGone { resource: ResourceName },
    /// An Idempotency-Key came before with another request.
    KeyReused,
    /// One resource of a set refused all of them.
    OfSet { resource: ResourceName, error: Box<ApiError> },
    /// A token was refused whose grant somebody has broken.
    AfterBreak { error: Box<ApiError>, broken: Box<PastBreak> },
    /// The replica is about to end: the answer of `/_ready`, and to requests that wait.
    Draining,
    /// `/_ready` while Redis doesn't take writes. Says why.
    NotReady(Option<String>),
    /// A record must be kept of this, and the audit file can't be written.
    AuditUnavailable,
    /// The store has no outcome.
    Store(Failure),
    /// A bug in Gorilla.
    Panic,
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

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denied) => {
                let Denied { identity, verb, resource } = *denied;
                Self::InsufficientScope { key: identity, verb, resource }
            }
            Refusal::Owner { identity: key, prefix } => Self::OwnerNotAllowed { key, prefix },
            Refusal::Quota { identity: key, reached } => Self::QuotaExceeded { key, reached },
            Refusal::TooLong { identity, field, most } => {
                let most = most.as_secs_f64();
                Invalid::new(field, format!("must be at most {most} for the API key {identity:?}")).into()
            }
            Refusal::NoConversion { identity } => {
                let rule = format!("must be missing, because the API key {identity:?} has the quota max_held");
                Invalid::new("mode", rule).into()
            }
            Refusal::NotAnyMore => Self::InvalidKey("the access file does not have it any more, or it has expired"),
            Refusal::TooManyListeners => Self::TooManyListeners,
            Refusal::EventsOff => Self::EventsOff,
            Refusal::Draining => Self::Draining,
            Refusal::AuditUnavailable => Self::AuditUnavailable,
            Refusal::Store(failure) => Self::Store(failure),
        }
    }
}

impl ApiError {
    /// The same, where somebody has broken the grant of the token.
    pub fn after(self, broken: PastBreak) -> Self {
        Self::AfterBreak { error: Box::new(self), broken: Box::new(broken) }
    }

    /// What only the log is told, and not the client.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Store(Failure::Broken(cause) | Failure::Unknown(cause)) => Some(cause),
            Self::OfSet { error, .. } | Self::AfterBreak { error, .. } => error.cause(),
            _ => None,
        }
    }
}

/// Leaves the body to `middleware::problem`, which knows what form the client wants.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

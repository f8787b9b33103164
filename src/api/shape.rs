//! How an error looks from outside: one table of codes and messages, and the facts beside them.

use std::{borrow::Cow, num::NonZeroU64, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use gorilla_domain::{Blocked, Blocker, Failure, Group, Holder, PastBreak, ResourceName};
use gorilla_wire::{Code, Error, Facts, Mode, Outcome, Problem, seconds};

use super::{answer::milliseconds, error::ApiError};
use crate::{
    access::{Rate, Reached},
    rfc3339::Rfc3339,
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How an [`ApiError`] looks from outside.
pub struct Shape {
    /// What the body tells.
    pub body: Error,
    /// In seconds.
    pub retry_after: Option<u64>,
    /// How often the caller may ask, if that is why it is refused.
    rate: Option<(Rate, u64)>,
}

impl Shape {
    /// The table.
    pub fn of(error: &ApiError) -> Self {
        let (code, message): (Code, Cow<str>) = match error {
            ApiError::Invalid(invalid) => (Code::InvalidRequest, format!("{invalid}.").into()),
            ApiError::InvalidItem { index, problem, .. } => {
                (Code::InvalidRequest, format!("operations[{index}]: {problem}.").into())
            }
            ApiError::MalformedBody(problem) => (Code::InvalidRequest, format!("The body {problem}.").into()),
            ApiError::HostNotAllowed(host) => (
                Code::HostNotAllowed,
                format!(
                    "This replica does not serve the host {host:?}; name that host in the setting \
                     server.allowed_hosts, or use localhost on the machine that serves."
                )
                .into(),
            ),
            ApiError::AuthenticationRequired => (
                Code::AuthenticationRequired,
                "This replica demands an API key; send it in the header Authorization, after \"Bearer \".".into(),
            ),
            ApiError::InvalidKey(why) => (Code::InvalidKey, format!("The API key is not valid: {why}.").into()),
            ApiError::InsufficientScope { key, verb, resource } => {
                let on = resource.as_ref().map_or_else(String::new, |resource| format!(" on {:?}", resource.as_str()));
                (Code::InsufficientScope, format!("The API key {key:?} does not allow \"{verb}\"{on}.").into())
            }
            ApiError::QuotaExceeded { key, reached } => {
                let what = match reached {
                    Reached::Rate { left, .. } => {
                        let left = left.as_secs_f64();
                        format!("asks more often than its quota per_second allows; try again in {left:.1} s")
                    }
                    Reached::Waiters(most) => {
                        format!("has {most} requests that wait, as many as its quota max_waiters allows; try again later")
                    }
                    Reached::Held(most) => {
                        format!("holds {most} locks, as many as its quota max_held allows; release one, or try again later")
                    }
                };
                (Code::QuotaExceeded, format!("The API key {key:?} {what}.").into())
            }
            ApiError::OwnerNotAllowed { key, prefix } => (
                Code::InsufficientScope,
                format!("The API key {key:?} takes locks only for owners that begin with {prefix:?}.").into(),
            ),
            ApiError::CrossOrigin => (
                Code::CrossOrigin,
                "A browser sent this request for a page of another site, and such a page may not change locks; \
                 send the request from a page of this host, or from a program that is not a browser."
                    .into(),
            ),
            ApiError::UnsupportedMediaType(given) => {
                let given = match given {
                    Some(given) => format!("Content-Type is {given:?}"),
                    None => "The body has no Content-Type".into(),
                };
                let message = format!("{given}; it must be application/json.");
                (Code::UnsupportedMediaType, message.into())
            }
            ApiError::UnsupportedEncoding(given) => (
                Code::UnsupportedMediaType,
                format!("Content-Encoding is {given:?}; send the body uncompressed, without this header.").into(),
            ),
            ApiError::BodyTooLarge { longest } => {
                (Code::BodyTooLarge, format!("The body is too long; it must be at most {longest} bytes.").into())
            }
            ApiError::BodyTimeout(limit) => (
                Code::BodyTimeout,
                format!("The body did not arrive within {} s.", limit.as_secs_f64()).into(),
            ),
            ApiError::MissingToken => (
                Code::TokenRequired,
                "The token of the lock is missing: send it in the header Lock-Token or as the last part of the path.".into(),
            ),
            ApiError::UnknownPath => (
                Code::NotFound,
                "There is nothing at this path; locks are at /api/v1/locks/{resource}.".into(),
            ),
            ApiError::MethodNotAllowed => (
                Code::MethodNotAllowed,
                "This path does not have this method; the header Allow lists those it has.".into(),
            ),
            ApiError::LockHeld { resource, holder, group, .. } => {
                let held = group.map_or_else(|| held(resource, holder), |group| shared(resource, &group));
                (Code::LockHeld, format!("{held}; try again later.").into())
            }
            ApiError::LimitMismatch { resource, limit } => {
                let limit = limit.map_or_else(|| "no limit".into(), |limit| format!("the limit {limit}"));
                let message = format!("{:?} has {limit}; name the same limit, or none if it is pinned, and take no more permits than that.", resource.as_str());
                (Code::LimitMismatch, message.into())
            }
            ApiError::TooManyHolders { resource, holders } => {
                let message = format!("{holders} clients hold {:?}, as many as may; try again later.", resource.as_str());
                (Code::TooManyHolders, message.into())
            }
            ApiError::FenceRequired { resource, group } => {
                let message = format!("{}; name the fence of the holder to end.", shared(resource, group));
                (Code::FenceRequired, message.into())
            }
            ApiError::LockReserved { resource, waiting } => {
                let resource = resource.as_str();
                let message = format!("{resource:?} has room, but requests that came before wait for it ({waiting}); send \"wait\" to join them, or try again later.");
                (Code::LockReserved, message.into())
            }
            ApiError::WaitTimeout { resource, wait, blocked } => {
                let Blocked { by, position, .. } = &**blocked;
                let held = match by {
                    Blocker::Holder(holder) => held(resource, holder),
                    Blocker::Group(_, group) => shared(resource, group),
                    Blocker::Recovery(left) => recovering(resource, *left),
                    Blocker::Queue => format!("{:?} is about to go to the next request in the queue", resource.as_str()),
                };
                let (waited, position) = (wait.as_secs_f64(), position.map_or(0, NonZeroU64::get));
                let message = format!("Not granted within {waited} s: {held}, and this request was number {position} in the queue; sent again within 10 s with the same Idempotency-Key, it keeps its place.");
                (Code::WaitTimeout, message.into())
            }
            ApiError::Replaced { resource } => (
                Code::Replaced,
                format!(
                    "A later request with the same \"replaces\" waits for {:?} in place of this one.",
                    resource.as_str()
                )
                .into(),
            ),
            ApiError::Recovering { resource, left, waiting } => {
                let advice = match waiting {
                    Some(_) => "send \"wait\" to be granted it in turn, or try again then",
                    // A conversion can't wait.
                    None => "try again then",
                };
                (Code::Recovering, format!("{}; {advice}.", recovering(resource, *left)).into())
            }
            ApiError::Unsettled { resource, left } => {
                let message = format!("{}; the first request with this Idempotency-Key was granted it, and whether that stands is certain then: send it again.", recovering(resource, *left));
                (Code::Recovering, message.into())
            }
            ApiError::QueueFull { resource, waiting } => {
                let message = format!("{waiting} requests wait for {:?}, as many as may; try again later.", resource.as_str());
                (Code::QueueFull, message.into())
            }
            ApiError::TooManyListeners => (
                Code::TooManyListeners,
                "This replica has 1000 listeners, as many as may listen; try again later, or at another replica.".into(),
            ),
            ApiError::EventsOff => (
                Code::EventsOff,
                "The settings of this server switch events off (events.record = \"off\").".into(),
            ),
            ApiError::LockNotFound { resource } => {
                (Code::LockNotFound, format!("Nobody holds a lock on {:?}.", resource.as_str()).into())
            }
            ApiError::TokenNotFound { resource, is_well_formed } => {
                let why = match is_well_formed {
                    true => "it was superseded by an extend or given back, or was never valid",
                    false => "a token is a UUID, or of a shared lock two UUIDs with a dot between them",
                };
                let resource = resource.as_str();
                (Code::TokenNotFound, format!("The token is not that of a lock on {resource:?}: {why}.").into())
            }
            ApiError::TokenMismatch { resource, holder } => {
                (Code::TokenMismatch, format!("{}, under another token.", held(resource, holder)).into())
            }
            ApiError::LockBreaking { resource, ttl } => (
                Code::LockBreaking,
                format!(
                    "Somebody breaks the lock on {:?}: it can't be extended, and ends in {} s.",
                    resource.as_str(),
                    seconds(*ttl)
                )
                .into(),
            ),
            ApiError::TimeoutShorter { ttl, asked } => (
                Code::TimeoutShorter,
                format!(
                    "timeout is {} s, which is less than the {} s that remain; an extend never shortens a lease.",
                    seconds(*asked),
                    seconds(*ttl)
                )
                .into(),
            ),
            ApiError::FenceChanged { resource, holder } => {
                let held = held(resource, holder);
                (Code::FenceChanged, format!("The grant with that fence has ended; {held}.").into())
            }
            ApiError::LockGone { resource } => (
                Code::LockGone,
                format!(
                    "The first request with this Idempotency-Key succeeded, but its lease on {:?} has ended since; use a new key to ask again.",
                    resource.as_str()
                )
                .into(),
            ),
            ApiError::KeyReused => (
                Code::IdempotencyKeyReused,
                "This Idempotency-Key came before with another request on the same resource; use a new key.".into(),
            ),
            ApiError::OfSet { resource, error } => {
                let mut shape = Self::of(error);
                shape.body.facts.resource = Some(resource.as_str().into());
                return shape;
            }
            ApiError::AfterBreak { error, broken } => {
                let mut shape = Self::of(error);
                let at = Rfc3339::of(broken.at).as_str().to_string();
                shape.body.error_message += &format!(" {}", was_broken(&at, broken));
                let (facts, PastBreak { by, reason, .. }) = (&mut shape.body.facts, PastBreak::clone(broken));
                (facts.broken_at, facts.broken_by, facts.reason) = (Some(at), by, reason);
                return shape;
            }
            ApiError::Draining => (Code::Draining, "This replica is about to end; send the request again, with the same Idempotency-Key if it waited, which keeps its place for 10 s.".into()),
            ApiError::AuditUnavailable => (
                Code::AuditUnavailable,
                "The audit file of this replica can't be written; nothing was done.".into(),
            ),
            ApiError::NotReady(None) => (Code::NotReady, "Redis doesn't serve this replica; its log says why.".into()),
            ApiError::NotReady(Some(why)) => (Code::NotReady, format!("{why}.").into()),
            ApiError::Store(Failure::Unreachable(why)) => (
                Code::RedisUnavailable,
                format!("Redis can't be reached ({why}); nothing was done.").into(),
            ),
            ApiError::Store(Failure::Refused(prefix)) => (
                Code::RedisRefused,
                format!("Redis can't serve this now ({prefix}); nothing was done.").into(),
            ),
            ApiError::Store(Failure::Overloaded) => (
                Code::Overloaded,
                "More requests come than this replica can serve now; nothing was done.".into(),
            ),
            ApiError::Store(Failure::NotReplicated) => (
                Code::NotReplicated,
                "Too few replicas of Redis confirmed the grant in time, so it was undone: a failover could have lost it.".into(),
            ),
            ApiError::Store(Failure::Unknown(_)) => (
                Code::OutcomeUnknown,
                "The request was sent to Redis and was not confirmed, so it may have been done or not. Send it again, with the same Idempotency-Key if it has one; an acquire that nobody asks for again is undone.".into(),
            ),
            ApiError::Store(Failure::Broken(_)) | ApiError::Panic => (
                Code::InternalError,
                "Something is wrong inside of Gorilla or Redis; the log of this replica has the cause under this X-Request-Id.".into(),
            ),
        };
        let outcome = match error {
            ApiError::Store(Failure::Unknown(_) | Failure::Broken(_))
            | ApiError::Unsettled { .. }
            | ApiError::Panic => Outcome::Unknown,
            _ => Outcome::NotExecuted,
        };
        let retry_after = match error {
            ApiError::Store(failure) => failure.retry_after().map(|wait| wait.as_secs()),
            ApiError::Recovering { left, .. } | ApiError::Unsettled { left, .. } => {
                Some(milliseconds(*left).div_ceil(1000))
            }
            ApiError::QuotaExceeded { reached, .. } => Some((milliseconds(reached.left()).div_ceil(1000)).max(1)),
            ApiError::Draining
            | ApiError::NotReady(_)
            | ApiError::AuditUnavailable
            | ApiError::QueueFull { .. }
            | ApiError::TooManyListeners
            | ApiError::TooManyHolders { .. } => Some(1),
            _ => None,
        };
        let body = Error { error_message: message.into(), code, outcome, facts: facts(error) };
        let rate = match error {
            ApiError::QuotaExceeded { reached: Reached::Rate { rate, .. }, .. } => {
                retry_after.map(|left| (*rate, left))
            }
            _ => None,
        };
        Self { body, retry_after, rate }
    }

    /// The body of the answer, as RFC 9457 has it if `problem`, else in Gorilla's own form.
    pub fn into_json(self, problem: bool) -> String {
        let json = match problem {
            true => serde_json::to_string(&Problem::from(self.body)),
            false => serde_json::to_string(&self.body),
        };
        // Neither form can fail to serialise: their keys are strings.
        json.unwrap_or_default()
    }

    /// The answer, as RFC 9457 has it if `problem`, else in Gorilla's own form.
    pub fn into_response(self, problem: bool) -> Response {
        let (code, retry_after, rate) = (self.body.code, self.retry_after, self.rate);
        let challenge = match code {
            Code::AuthenticationRequired => Some(r#"Bearer realm="gorilla""#),
            Code::InvalidKey => Some(r#"Bearer realm="gorilla", error="invalid_token""#),
            _ => None,
        };
        let content_type = if problem { "application/problem+json" } else { "application/json" };
        let mut response =
            (code.status(), [(header::CONTENT_TYPE, content_type)], self.into_json(problem)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((Rate { per_second, burst }, left)) = rate {
            // As draft-ietf-httpapi-ratelimit-headers has them.
            let window = burst.get().div_ceil(per_second.get());
            let policy = format!("\"per_second\";q={burst};w={window}");
            let headers = response.headers_mut();
            headers.extend(HeaderValue::try_from(policy).map(|policy| (RATE_LIMIT_POLICY, policy)));
            let state = HeaderValue::try_from(format!("\"per_second\";r=0;t={left}"));
            headers.extend(state.map(|state| (RATE_LIMIT, state)));
        }
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// What an error tells beside its message.
fn facts(error: &ApiError) -> Facts {
    let about = |resource: &ResourceName| Facts { resource: Some(resource.as_str().into()), ..Facts::default() };
    let held = |resource: &ResourceName, holder: &Holder| Facts {
        owner: Some(holder.owner.clone()),
        fence: Some(holder.fence),
        ttl_ms: Some(milliseconds(holder.ttl)),
        ..about(resource)
    };
    let of_group = |group: &Group| Facts {
        mode: Some(Mode::Shared),
        limit: group.limit.map(u64::from),
        used: Some(group.used),
        holder_count: Some(group.holders),
        ..Facts::default()
    };
    let shared = |resource: &ResourceName, holder: &Holder, group: &Group| {
        let Facts { owner, fence, ttl_ms, resource, .. } = held(resource, holder);
        Facts { owner, fence, ttl_ms, resource, ..of_group(group) }
    };
    let recovering = |resource, left| Facts { recovering_ms: Some(milliseconds(left)), ..about(resource) };
    match error {
        ApiError::Invalid(invalid) => Facts { field: Some(invalid.field.into()), ..Facts::default() },
        ApiError::InvalidItem { index, field, .. } => {
            Facts { field: field.map(String::from), index: Some(*index as u64), ..Facts::default() }
        }
        ApiError::LockHeld { resource, holder, group, waiting } => {
            let in_the_way = match group {
                None => held(resource, holder),
                Some(group) => shared(resource, holder, group),
            };
            Facts { waiting: *waiting, ..in_the_way }
        }
        ApiError::WaitTimeout { resource, blocked, .. } => {
            let Blocked { by, waiting, position } = &**blocked;
            let in_the_way = match by {
                Blocker::Holder(holder) => held(resource, holder),
                Blocker::Group(holder, group) => shared(resource, holder, group),
                Blocker::Recovery(left) => recovering(resource, *left),
                Blocker::Queue => about(resource),
            };
            Facts { waiting: Some(*waiting), position: Some(position.map_or(0, NonZeroU64::get)), ..in_the_way }
        }
        ApiError::TokenMismatch { resource, holder } | ApiError::FenceChanged { resource, holder } => {
            held(resource, holder)
        }
        ApiError::Recovering { resource, left, waiting } => Facts { waiting: *waiting, ..recovering(resource, *left) },
        ApiError::Unsettled { resource, left } => recovering(resource, *left),
        ApiError::LockReserved { resource, waiting } | ApiError::QueueFull { resource, waiting } => {
            Facts { waiting: Some(*waiting), ..about(resource) }
        }
        ApiError::LimitMismatch { resource, limit } => Facts { limit: limit.map(u64::from), ..about(resource) },
        ApiError::TooManyHolders { resource, holders } => Facts { holder_count: Some(*holders), ..about(resource) },
        ApiError::FenceRequired { resource, group } => {
            Facts { resource: Some(resource.as_str().into()), ..of_group(group) }
        }
        ApiError::QuotaExceeded { reached, .. } => Facts { quota: Some(reached.quota().into()), ..Facts::default() },
        ApiError::InsufficientScope { verb, resource, .. } => Facts {
            verb: Some(verb.as_str().into()),
            resource: resource.as_ref().map(|resource| resource.as_str().into()),
            ..Facts::default()
        },
        ApiError::Replaced { resource }
        | ApiError::LockNotFound { resource }
        | ApiError::TokenNotFound { resource, .. }
        | ApiError::LockGone { resource } => about(resource),
        ApiError::LockBreaking { resource, ttl } => Facts { ttl_ms: Some(milliseconds(*ttl)), ..about(resource) },
        ApiError::TimeoutShorter { ttl, .. } => Facts { ttl_ms: Some(milliseconds(*ttl)), ..Facts::default() },
        _ => Facts::default(),
    }
}

fn was_broken(at: &str, PastBreak { by, reason, .. }: &PastBreak) -> String {
    let by = by.as_ref().map_or_else(String::new, |by| format!(" by the API key {by:?}"));
    let why = reason.as_ref().map_or_else(|| ", without a reason".into(), |reason| format!(": {reason:?}"));
    format!("The grant of this token was broken at {at}{by}{why}.")
}

fn recovering(resource: &ResourceName, left: Duration) -> String {
    let resource = resource.as_str();
    format!("Redis may have lost who holds {resource:?}, so nobody is granted it for another {} s", seconds(left))
}

fn shared(resource: &ResourceName, group: &Group) -> String {
    let of_limit = group.limit.map_or_else(String::new, |limit| format!(" and have {} of {limit} permits", group.used));
    let holders =
        if group.holders == 1 { "1 client shares".into() } else { format!("{} clients share", group.holders) };
    format!("{holders} {:?}{of_limit}", resource.as_str())
}

fn held(resource: &ResourceName, holder: &Holder) -> String {
    format!("{:?} is held by {:?} for another {} s", resource.as_str(), holder.owner, seconds(holder.ttl))
}

//! `POST /api/v1/locks/{resource}`

use std::sync::Arc;

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gorilla_domain::{Acquire, Acquired, Blocked, Blocker, ResourceName};
use serde_json::value::RawValue;

use crate::{
    api::{
        answer,
        app::App,
        body,
        error::ApiError,
        fields,
        target::{Target, once},
    },
    service::Caller,
    settings::Limits,
};

/// Takes a lock, or waits for it.
pub async fn acquire(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    // A request that waits keeps only what it asks for: head and body would keep a buffer of the connection.
    let (caller, asked) = read(&app, target).await?;
    let acquired = app.service.acquire(&caller, &asked).await?;
    let Acquire { lease, wait, .. } = *asked;
    let resource = || asked.resource.clone();
    Ok(match acquired {
        Acquired::Granted(lock) => answer::lock(&asked.resource, &lock, lease.as_duration(), false),
        Acquired::Replayed(lock) => answer::lock(&asked.resource, &lock, lease.as_duration(), true),
        Acquired::Blocked(blocked) if !wait.is_zero() => {
            ApiError::WaitTimeout { resource: resource(), wait, blocked: Box::new(blocked) }.into_response()
        }
        Acquired::Blocked(Blocked { by, waiting, .. }) => {
            let lock_held = |holder, group| {
                let (resource, waiting) = (resource(), Some(waiting));
                ApiError::LockHeld { resource, holder, group, waiting }.into_response()
            };
            match by {
                Blocker::Holder(holder) => lock_held(holder, None),
                Blocker::Group(holder, group) => lock_held(holder, Some(group)),
                Blocker::Queue => ApiError::LockReserved { resource: resource(), waiting }.into_response(),
                Blocker::Recovery(left) => ApiError::Recovering { resource: resource(), left, waiting }.into_response(),
            }
        }
        Acquired::LimitMismatch { limit } => ApiError::LimitMismatch { resource: resource(), limit }.into_response(),
        Acquired::TooManyHolders { holders } => {
            ApiError::TooManyHolders { resource: resource(), holders }.into_response()
        }
        Acquired::Unsettled(left) => ApiError::Unsettled { resource: resource(), left }.into_response(),
        Acquired::QueueFull { waiting } => ApiError::QueueFull { resource: resource(), waiting }.into_response(),
        Acquired::Dismissed => ApiError::Draining.into_response(),
        Acquired::Gone => ApiError::LockGone { resource: resource() }.into_response(),
        Acquired::KeyReused => ApiError::KeyReused.into_response(),
    })
}

/// Who asks, and for what.
async fn read(app: &App, target: Target) -> Result<(Caller, Arc<Acquire>), ApiError> {
    let Target { caller, resource, headers, body, .. } = target;
    let body = body::read(app, &headers, body).await?;
    Ok((caller, parse(app.limits(), resource, headers, body)?.into()))
}

/// What a request asks for.
pub fn parse(limits: &Limits, resource: ResourceName, headers: HeaderMap, body: Bytes) -> Result<Acquire, ApiError> {
    let asked: gorilla_wire::Acquire<&RawValue> = body::parse(&body)?;
    let owner = fields::owner(asked.owner)?;
    let lease = fields::lease(asked.timeout, limits.max_timeout)?;
    let metadata = fields::metadata(asked.metadata)?;
    let wait = fields::wait(asked.wait, limits.max_wait)?;
    let mode = fields::mode(asked.mode, asked.limit, asked.permits)?.unwrap_or_default();
    // A client may wait in pieces of different lengths, so the fingerprint of a request leaves its wait out.
    let timeout = lease.as_millis().to_string();
    let mut parts = vec!["acquire", owner.as_str(), &timeout, metadata.as_str()];
    let share = mode.share().map(fields::share);
    parts.extend(share.iter().flatten().map(String::as_str));
    let once = once(&headers, &parts)?;
    Ok(Acquire { resource, owner, lease, metadata, wait, mode, once })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F>(_: impl FnOnce(State<App>, Target) -> F) -> usize {
        size_of::<F>()
    }

    /// Each request that waits keeps its future, so what is rare must not make the future longer.
    #[test]
    fn a_request_that_waits_keeps_less_than_2_kib_for_its_handler() {
        let size = size_of_future(acquire);
        assert!(size <= 2048, "{size} bytes; box what a waiter rarely needs");
    }
}

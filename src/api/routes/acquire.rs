//! `POST /api/v1/locks/{resource}`

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
    settings::Limits,
};

/// Takes a lock, or waits for it.
pub async fn acquire(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, headers, body, .. } = target;
    let body = body::read(&app, &headers, body).await?;
    // A request that waits keeps only what it asks for: head and body would keep a buffer of the connection.
    let asked = parse(app.limits(), resource, headers, body)?;
    let (resource, lease, wait) = (asked.resource.clone(), asked.lease.as_duration(), asked.wait);
    Ok(match app.service.acquire(&caller, asked).await? {
        Acquired::Granted(lock) => answer::lock(&resource, &lock, lease, false),
        Acquired::Replayed(lock) => answer::lock(&resource, &lock, lease, true),
        Acquired::Blocked(blocked) if !wait.is_zero() => {
            ApiError::WaitTimeout { resource, wait, blocked }.into_response()
        }
        Acquired::Blocked(Blocked { by, waiting, .. }) => match by {
            Blocker::Holder(holder) => ApiError::LockHeld { resource, holder, waiting }.into_response(),
            Blocker::Queue => ApiError::LockReserved { resource, waiting }.into_response(),
            Blocker::Recovery(left) => ApiError::Recovering { resource, left, waiting }.into_response(),
        },
        Acquired::Unsettled(left) => ApiError::Unsettled { resource, left }.into_response(),
        Acquired::QueueFull { waiting } => ApiError::QueueFull { resource, waiting }.into_response(),
        Acquired::Dismissed => ApiError::Draining.into_response(),
        Acquired::Gone => ApiError::LockGone { resource }.into_response(),
        Acquired::KeyReused => ApiError::KeyReused.into_response(),
    })
}

/// What a request asks for.
pub fn parse(limits: &Limits, resource: ResourceName, headers: HeaderMap, body: Bytes) -> Result<Acquire, ApiError> {
    let asked: gorilla_wire::Acquire<&RawValue> = body::parse(&body)?;
    let owner = fields::owner(asked.owner)?;
    let lease = fields::lease(asked.timeout, limits.max_timeout)?;
    let metadata = fields::metadata(asked.metadata)?;
    let wait = fields::wait(asked.wait, limits.max_wait)?;
    // A client may wait in pieces of different lengths, so the fingerprint of a request leaves its wait out.
    let timeout = lease.as_millis().to_string();
    let once = once(&headers, &["acquire", owner.as_str(), &timeout, metadata.as_str()])?;
    Ok(Acquire { resource, owner, lease, metadata, wait, once })
}

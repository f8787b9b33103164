//! `POST /api/v1/locks/{resource}`

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    App, answer, body,
    error::{ApiError, InTheWay},
    extract::{About, once},
};
use crate::{
    lock::{Acquired, Lease, Metadata, Owner, ResourceName, wait},
    settings::Limits,
    store::Acquire,
};

/// Takes a lock, or waits for it.
pub async fn acquire(State(app): State<App>, about: About) -> Result<Response, ApiError> {
    let About { resource, headers, body, .. } = about;
    let body = body::read(&app, &headers, body).await?;
    // Whoever waits keeps only what it asks for: the head and the body hold on to a buffer of the connection.
    let asked = parse(&app.settings.limits, resource, headers, body)?;
    let (resource, timeout, wait) = (asked.resource.clone(), asked.lease.as_millis(), asked.wait);
    Ok(match app.store.acquire(asked).await? {
        Acquired::Granted(lock) => answer::lock(&resource, &lock, timeout, false),
        Acquired::Replayed(lock) => answer::lock(&resource, &lock, timeout, true),
        Acquired::Held { holder, waiting, .. } if wait.is_zero() => {
            ApiError::LockHeld { resource, holder, waiting }.into_response()
        }
        Acquired::Reserved { waiting, .. } if wait.is_zero() => {
            ApiError::LockReserved { resource, waiting }.into_response()
        }
        Acquired::Held { holder, waiting, position } => {
            ApiError::WaitTimeout { resource, wait, why: InTheWay::Holder(holder), waiting, position }.into_response()
        }
        Acquired::Reserved { waiting, position } => {
            ApiError::WaitTimeout { resource, wait, why: InTheWay::Queue, waiting, position }.into_response()
        }
        Acquired::Recovering { left, waiting, .. } if wait.is_zero() => {
            ApiError::Recovering { resource, left, waiting }.into_response()
        }
        Acquired::Recovering { left, waiting, position } => {
            let why = InTheWay::Recovery { left };
            ApiError::WaitTimeout { resource, wait, why, waiting, position }.into_response()
        }
        Acquired::Unsettled { left } => ApiError::Unsettled { resource, left }.into_response(),
        Acquired::QueueFull { waiting } => ApiError::QueueFull { resource, waiting }.into_response(),
        Acquired::Dismissed => ApiError::Draining.into_response(),
        Acquired::Gone => ApiError::LockGone { resource }.into_response(),
        Acquired::KeyReused => ApiError::KeyReused.into_response(),
    })
}

/// What a request asks for.
pub fn parse(limits: &Limits, resource: ResourceName, headers: HeaderMap, body: Bytes) -> Result<Acquire, ApiError> {
    let asked: gorilla_wire::Acquire<&RawValue> = body::parse(&body)?;
    let owner = Owner::parse(asked.owner.map(RawValue::get))?;
    let lease = Lease::parse(asked.timeout.map(RawValue::get), limits.max_timeout)?;
    let metadata = Metadata::parse(asked.metadata)?;
    let wait = wait::parse(asked.wait.map(RawValue::get), limits.max_wait)?;
    // A client may wait in pieces of different lengths, so the wait is no part of what it asks for.
    let timeout = lease.as_millis().to_string();
    let once = once(&headers, &["acquire", owner.as_str(), &timeout, metadata.as_json().get()])?;
    Ok(Acquire { resource, owner, lease, metadata, wait, once })
}

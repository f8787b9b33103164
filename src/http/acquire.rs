//! `POST /api/v1/locks/{resource}`

use axum::{
    body::Body,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    App, answer,
    body::{self, Fields},
    error::ApiError,
    extract::{Target, once},
};
use crate::{
    lock::{Acquired, Lease, Metadata, Owner},
    store::Acquire,
};

const FIELDS: [&str; 3] = ["owner", "timeout", "metadata"];

/// Takes a lock.
pub async fn acquire(
    State(app): State<App>,
    Target { resource, .. }: Target,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::read(&app, &headers, body).await?;
    let mut fields = Fields::parse(&headers, &body)?;
    let [owner, timeout, metadata] = FIELDS.map(|name| fields.take(name));
    fields.finish(&FIELDS)?;
    let owner = Owner::parse(owner.map(|raw| raw.get()))?;
    let lease = Lease::parse(timeout.map(|raw| raw.get()), app.settings.limits.max_timeout)?;
    let metadata = Metadata::parse(metadata)?;

    let timeout = lease.as_millis();
    let once = once(&headers, &["acquire", owner.as_str(), &timeout.to_string(), metadata.as_json().get()])?;
    let asked = Acquire { resource: resource.clone(), owner, lease, metadata, once };
    Ok(match app.store.acquire(asked).await? {
        Acquired::Granted(lock) => answer::lock(&resource, &lock, timeout, false),
        Acquired::Replayed(lock) => answer::lock(&resource, &lock, timeout, true),
        Acquired::Held { holder, waiting } => ApiError::LockHeld { resource, holder, waiting }.into_response(),
        Acquired::Gone => ApiError::LockGone { resource }.into_response(),
        Acquired::KeyReused => ApiError::KeyReused.into_response(),
    })
}

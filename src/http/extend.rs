//! `PUT /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::value::RawValue;

use super::{
    App, answer, body,
    error::ApiError,
    extract::{About, once},
};
use crate::{
    lock::{Extended, Lease},
    store::Extend,
};

/// Renews a lease and replaces its token.
pub async fn extend(State(app): State<App>, about: About) -> Result<Response, ApiError> {
    let About { resource, token, headers, body } = about;
    let token = token.ok_or(ApiError::MissingToken)?;
    let body = body::read(&app, &headers, body).await?;
    let asked: gorilla_wire::Extend<&RawValue> = body::parse(&body)?;
    let lease = Lease::parse(asked.timeout.map(RawValue::get), app.settings.limits.max_timeout)?;

    let timeout = lease.as_millis();
    let once = once(&headers, &["extend", token.expose(), &timeout.to_string()])?;
    let asked = Extend { resource: resource.clone(), token, lease, once };
    Ok(match app.store.extend(asked).await? {
        Extended::Extended(lock) => answer::lock(&resource, &lock, timeout, false),
        Extended::Replayed(lock) => answer::lock(&resource, &lock, timeout, true),
        Extended::Missing => ApiError::LockNotFound { resource }.into_response(),
        Extended::TokenMismatch(holder) => ApiError::TokenMismatch { resource, holder }.into_response(),
        Extended::Shorter { ttl } => ApiError::TimeoutShorter { ttl, asked: timeout }.into_response(),
        Extended::Gone => ApiError::LockGone { resource }.into_response(),
        Extended::KeyReused => ApiError::KeyReused.into_response(),
    })
}

//! `DELETE /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use axum::{
    body::HttpBody,
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{IdempotencyKey, Once, Release, Released, ResourceName, Token};

use crate::api::{
    answer::Success,
    app::App,
    body,
    error::ApiError,
    target::{Target, idempotency_key},
};

/// Frees a lock.
pub async fn release(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, headers, body } = target;
    let token = token.ok_or(ApiError::MissingToken)?;
    // A release takes nothing from a body, but a body that is not JSON is refused everywhere.
    if !body.is_end_stream() {
        body::read(&app, &headers, body, body::LONGEST).await?;
    }
    let asked = asked(resource, token, idempotency_key(&headers)?);
    let released = app.service.release(&caller, &asked).await?;
    answer(asked, released).map(Success::into_response)
}

/// What is asked for.
pub fn asked(resource: ResourceName, token: Token, key: Option<IdempotencyKey>) -> Release {
    let once = key.map(|key| Once::new(key, &["release", token.expose()]));
    Release { resource, token, once }
}

/// What the client is told.
pub fn answer(asked: Release, released: Released) -> Result<Success, ApiError> {
    let Release { resource, token, .. } = asked;
    match released {
        Released::Released => Ok(Success { json: None, replayed: false }),
        Released::Replayed => Ok(Success { json: None, replayed: true }),
        Released::Missing => Err(ApiError::LockNotFound { resource }),
        Released::TokenMismatch => Err(ApiError::TokenNotFound { is_well_formed: token.is_well_formed(), resource }),
        Released::KeyReused => Err(ApiError::KeyReused),
    }
}

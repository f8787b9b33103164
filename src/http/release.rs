//! `DELETE /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use axum::{
    body::HttpBody,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    App, answer, body,
    error::ApiError,
    extract::{About, once},
};
use crate::lock::Released;

/// Frees a lock.
pub async fn release(State(app): State<App>, about: About) -> Result<Response, ApiError> {
    let About { resource, token, headers, body } = about;
    let token = token.ok_or(ApiError::MissingToken)?;
    // A release takes nothing from a body, but a body that is not JSON is refused everywhere.
    if !body.is_end_stream() {
        body::read(&app, &headers, body).await?;
    }
    let once = once(&headers, &["release", token.expose()])?;
    Ok(match app.store.release(&resource, &token, once.as_ref()).await? {
        Released::Released => StatusCode::NO_CONTENT.into_response(),
        Released::Replayed => answer::mark(StatusCode::NO_CONTENT.into_response(), true),
        Released::Missing => ApiError::LockNotFound { resource }.into_response(),
        Released::TokenMismatch => ApiError::TokenNotFound { resource, is_uuid: token.is_uuid() }.into_response(),
        Released::KeyReused => ApiError::KeyReused.into_response(),
    })
}

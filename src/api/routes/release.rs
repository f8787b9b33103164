//! `DELETE /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use axum::{
    body::HttpBody,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Release, Released};

use crate::api::{
    answer,
    app::App,
    body,
    error::ApiError,
    target::{Target, once},
};

/// Frees a lock.
pub async fn release(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, headers, body } = target;
    let token = token.ok_or(ApiError::MissingToken)?;
    // A release takes nothing from a body, but a body that is not JSON is refused everywhere.
    if !body.is_end_stream() {
        body::read(&app, &headers, body).await?;
    }
    let once = once(&headers, &["release", token.expose()])?;
    let asked = Release { resource, token, once };
    Ok(match app.service.release(&caller, &asked).await? {
        Released::Released => StatusCode::NO_CONTENT.into_response(),
        Released::Replayed => answer::mark(StatusCode::NO_CONTENT.into_response(), true),
        Released::Missing => ApiError::LockNotFound { resource: asked.resource }.into_response(),
        Released::TokenMismatch => {
            ApiError::TokenNotFound { is_well_formed: asked.token.is_well_formed(), resource: asked.resource }
                .into_response()
        }
        Released::KeyReused => ApiError::KeyReused.into_response(),
    })
}

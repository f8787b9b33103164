//! `GET /metrics`

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use crate::{
    api::{app::App, error::ApiError},
    metrics::Format,
};

/// What the replica counts and measures, unless it has an address of its own for that.
pub async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let page = app.page.as_ref().ok_or(ApiError::UnknownPath)?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let text = page.text(format).map_err(|_| ApiError::Panic)?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

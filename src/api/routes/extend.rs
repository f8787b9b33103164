//! `PUT /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Extend, Extended};
use serde_json::value::RawValue;

use crate::api::{
    answer,
    app::App,
    body,
    error::ApiError,
    fields,
    target::{Target, once},
};

/// Renews a lease and replaces its token.
pub async fn extend(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, headers, body } = target;
    let token = token.ok_or(ApiError::MissingToken)?;
    let body = body::read(&app, &headers, body).await?;
    let asked: gorilla_wire::Extend<&RawValue> = body::parse(&body)?;
    let lease = fields::lease(asked.timeout, app.limits().max_timeout)?;

    let once = once(&headers, &["extend", token.expose(), &lease.as_millis().to_string()])?;
    let asked = Extend { resource, token, lease, metadata: None, keeps_token: false, convert: None, once };
    let extended = app.service.extend(&caller, &asked).await?;
    let (resource, lease) = (asked.resource, lease.as_duration());
    Ok(match extended {
        Extended::Extended(lock) => answer::lock(&resource, &lock, lease, false),
        Extended::Replayed(lock) => answer::lock(&resource, &lock, lease, true),
        Extended::Missing => ApiError::LockNotFound { resource }.into_response(),
        Extended::TokenMismatch(holder) => ApiError::TokenMismatch { resource, holder }.into_response(),
        Extended::Shorter { ttl } => ApiError::TimeoutShorter { ttl, asked: lease }.into_response(),
        Extended::Gone => ApiError::LockGone { resource }.into_response(),
        Extended::KeyReused => ApiError::KeyReused.into_response(),
    })
}

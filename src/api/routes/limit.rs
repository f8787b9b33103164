//! `/api/v1/limits/{resource}`: how many permits all holders of a shared lock may have

use axum::{extract::State, response::Response};
use gorilla_domain::{Limit, ResourceName};
use serde_json::value::RawValue;

use crate::api::{answer, app::App, body, error::ApiError, fields, target::Target};

/// Tells the limit in force.
pub async fn limit(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, .. } = target;
    Ok(answer(&resource, app.service.limit(&caller, &resource).await?))
}

/// Pins the limit.
pub async fn pin(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, headers, body, .. } = target;
    let body = body::read(&app, &headers, body, body::LONGEST).await?;
    let asked: gorilla_wire::Pin<&RawValue> = body::parse(&body)?;
    let limit = fields::pinned(asked.limit)?;
    Ok(answer(&resource, app.service.pin_limit(&caller, &resource, limit).await?))
}

/// Unpins the limit.
pub async fn unpin(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, .. } = target;
    Ok(answer(&resource, app.service.unpin_limit(&caller, &resource).await?))
}

fn answer(resource: &ResourceName, Limit { limit, is_pinned }: Limit) -> Response {
    answer::json(&gorilla_wire::Limit { resource: resource.as_str(), limit, pinned: is_pinned })
}

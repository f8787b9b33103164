//! `/_health` and `/_ready`

use axum::{extract::State, response::Response};
use gorilla_wire::{Alive, Health, Readiness, Ready};

use crate::{
    api::{answer, app::App, error::ApiError},
    service,
};

/// The process answers. Never asks Redis: a restart would not mend Redis.
pub async fn health() -> Response {
    answer::json(&Health { status: Alive::Ok, version: env!("CARGO_PKG_VERSION") })
}

/// Whether load balancers should send requests to this replica: Redis takes writes, and the replica is not about to
/// end.
pub async fn ready(State(app): State<App>) -> Result<Response, ApiError> {
    match app.service.ready().await {
        service::Readiness::Ready => Ok(answer::json(&Ready { status: Readiness::Ready })),
        service::Readiness::Draining => Err(ApiError::Draining),
        service::Readiness::AuditIsNot => Err(ApiError::NotReady(Some("The audit file can't be written".into()))),
        service::Readiness::StoreIsNot(why) => Err(ApiError::NotReady(why)),
    }
}

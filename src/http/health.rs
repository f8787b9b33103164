//! `/_health` and `/_ready`

use axum::{extract::State, response::Response};
use gorilla_wire::{Alive, Health, Readiness, Ready};

use super::{App, answer, error::ApiError};

/// The process answers. Never asks Redis: a restart would not mend Redis.
pub async fn health() -> Response {
    answer::json(&Health { status: Alive::Ok, version: env!("CARGO_PKG_VERSION") })
}

/// Whether requests should be sent here: Redis takes writes, and the replica is not about to end.
pub async fn ready(State(app): State<App>) -> Result<Response, ApiError> {
    if app.is_draining() {
        return Err(ApiError::Draining);
    }
    app.store.ready().await.map_err(ApiError::NotReady)?;
    Ok(answer::json(&Ready { status: Readiness::Ready }))
}

//! `GET /api/v1/locks/{resource}` for everybody, and with a token for the holder

use axum::{extract::State, response::Response};

use super::{App, answer, error::ApiError, extract::About};
use crate::lock::{self, Lock, ResourceName, Token};

/// With the header `Lock-Token` the lock of its holder, else the public state.
pub async fn state_or_status(State(app): State<App>, about: About) -> Result<Response, ApiError> {
    let About { resource, token, .. } = about;
    match token {
        Some(token) => held_by(&app, resource, token).await,
        None => {
            let state = app.store.inspect(&resource, None).await?;
            Ok(answer::json(&answer::public_state(&resource, &state)))
        }
    }
}

/// The lock of its holder, by the token in the path.
pub async fn status(State(app): State<App>, about: About) -> Result<Response, ApiError> {
    let About { resource, token, .. } = about;
    held_by(&app, resource, token.ok_or(ApiError::MissingToken)?).await
}

async fn held_by(app: &App, resource: ResourceName, token: Token) -> Result<Response, ApiError> {
    match app.store.inspect(&resource, Some(&token)).await? {
        lock::State::Held { tenure, own: true, .. } => {
            // The whole seconds that remain.
            let timeout = tenure.ttl / 1000 * 1000;
            Ok(answer::lock(&resource, &Lock { tenure, token }, timeout, false))
        }
        lock::State::Held { own: false, .. } => Err(ApiError::TokenNotFound { resource, is_uuid: token.is_uuid() }),
        lock::State::Free { .. } => Err(ApiError::LockNotFound { resource }),
    }
}

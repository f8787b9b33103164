//! `DELETE /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use gorilla_domain::{IdempotencyKey, Once, Release, Released, ResourceName, Token};

use crate::api::{
    answer::Success,
    app::App,
    body,
    error::ApiError,
    fields,
    query::parameters,
    target::{Target, WithQuery, idempotency_key},
};

/// Frees a lock, at once or after a time.
pub async fn release(State(app): State<App>, request: WithQuery) -> Result<Response, ApiError> {
    let WithQuery { target: Target { caller, resource, token, headers, body }, query } = request;
    let [after] = parameters(&query, ["after"])?;
    let after = fields::after(after.as_deref(), app.limits().max_timeout)?;
    let token = token.ok_or(ApiError::MissingToken)?;
    refuse_other_bodies(&app, &headers, body).await?;
    let asked = asked(resource, token, after, idempotency_key(&headers, &caller)?);
    let released = app.service.release(&caller, &asked).await?;
    answer(asked, released).map(Success::into_response)
}

/// Refuses a body that is not JSON, as everywhere, although a release takes nothing from its body.
pub async fn refuse_other_bodies(app: &App, headers: &HeaderMap, body: Body) -> Result<(), ApiError> {
    if !body.is_end_stream() {
        body::read(app, headers, body, body::LONGEST).await?;
    }
    Ok(())
}

/// What is asked for.
pub fn asked(resource: ResourceName, token: Token, after: Duration, key: Option<IdempotencyKey>) -> Release {
    let once = key.map(|key| {
        let after_text = (!after.is_zero()).then(|| after.as_millis().to_string());
        Once::new(key, &["release", token.expose()].into_iter().chain(after_text.as_deref()).collect::<Vec<_>>())
    });
    Release { resource, token, after, once }
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
        Released::AfterBreak(refused, broken) => {
            answer(Release { resource, token, ..asked }, *refused).map_err(|error| error.after(broken))
        }
    }
}

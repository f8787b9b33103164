//! `GET /api/v1/stats`, `/replicas`, `/contention`, `/redis` and `/me`: what all replicas together do, for people.

use axum::{
    Extension,
    extract::{RawQuery, State},
    response::Response,
};

use crate::{
    api::{answer, app::App, error::ApiError, invalid::Invalid, query::parameters},
    fleet::Range,
    service::Caller,
};

/// What all replicas together do.
pub async fn stats(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let range = range(query)?;
    Ok(answer::json(&*app.service.stats(range).await?))
}

/// The replicas.
pub async fn replicas(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    nothing(query)?;
    Ok(answer::json(&app.service.replicas().await?))
}

/// The locks that are waited for, and who waits for whom.
pub async fn contention(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let range = range(query)?;
    Ok(answer::json(&*app.service.contention(&caller, range).await?))
}

/// What Redis tells of itself.
pub async fn redis(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    nothing(query)?;
    Ok(answer::json(&app.service.redis().await?))
}

/// Who asks, and what it may do.
pub async fn me(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    nothing(query)?;
    Ok(answer::json(&app.service.me(&caller)))
}

fn range(query: Option<String>) -> Result<Range, Invalid> {
    let [range] = parameters(query.as_deref().unwrap_or_default(), ["range"])?;
    match range {
        Some(range) => range.parse().map_err(|rule| Invalid::new("range", rule)),
        None => Ok(Range::default()),
    }
}

/// Refuses every parameter.
fn nothing(query: Option<String>) -> Result<(), Invalid> {
    parameters(query.as_deref().unwrap_or_default(), []).map(|[]| ())
}

//! `PUT /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Extend, Extended, Mode};
use serde_json::value::RawValue;

use crate::api::{
    answer,
    app::App,
    body,
    error::ApiError,
    fields,
    invalid::Invalid,
    target::{Target, once},
};

/// Renews a lease, and replaces its token unless the client keeps it.
pub async fn extend(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, headers, body } = target;
    let token = token.ok_or(ApiError::MissingToken)?;
    let body = body::read(&app, &headers, body).await?;
    let asked: gorilla_wire::Extend<&RawValue> = body::parse(&body)?;
    let lease = fields::lease(asked.timeout, app.limits().max_timeout)?;

    let metadata = asked.metadata.map(|metadata| fields::metadata(Some(metadata))).transpose()?;
    let keeps_token = !fields::rotate(asked.rotate)?;
    let convert = fields::mode(asked.mode, asked.limit, asked.permits)?;
    if keeps_token && convert.is_some() {
        let rule = "must be true with \"mode\", because a conversion is a new grant with a new token";
        return Err(Invalid::new("rotate", rule).into());
    }
    let timeout = lease.as_millis().to_string();
    let mut print = vec!["extend", token.expose(), &timeout];
    // An extend without these fields has the fingerprint that version 0.1 gave it.
    if keeps_token {
        print.push("keeps_token");
    }
    if let Some(metadata) = &metadata {
        print.extend(["metadata", metadata.as_str()]);
    }
    let share = convert.and_then(Mode::share).map(fields::share);
    match convert {
        None => {}
        Some(Mode::Exclusive) => print.push("exclusive"),
        Some(Mode::Shared(_)) => print.extend(share.iter().flatten().map(String::as_str)),
    }
    let once = once(&headers, &print)?;
    let asked = Extend { resource, token, lease, metadata, keeps_token, convert, once };
    let extended = app.service.extend(&caller, &asked).await?;
    let (resource, lease) = (asked.resource, lease.as_duration());
    Ok(match extended {
        Extended::Extended(lock) => answer::lock(&resource, &lock, lease, false),
        Extended::Replayed(lock) => answer::lock(&resource, &lock, lease, true),
        Extended::Missing => ApiError::LockNotFound { resource }.into_response(),
        Extended::TokenMismatch(holder) => ApiError::TokenMismatch { resource, holder }.into_response(),
        Extended::Crowd(holder, group) => {
            ApiError::LockHeld { resource, holder, group: Some(group), waiting: None }.into_response()
        }
        Extended::LimitMismatch { limit } => ApiError::LimitMismatch { resource, limit }.into_response(),
        Extended::Shorter { ttl } => ApiError::TimeoutShorter { ttl, asked: lease }.into_response(),
        Extended::Gone => ApiError::LockGone { resource }.into_response(),
        Extended::KeyReused => ApiError::KeyReused.into_response(),
    })
}

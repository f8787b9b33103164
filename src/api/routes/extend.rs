//! `PUT /api/v1/locks/{resource}/{token}`, or with the header `Lock-Token`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Extend, Extended, IdempotencyKey, Lock, Mode, Once, ResourceName, Token};
use serde_json::value::RawValue;

use crate::{
    api::{
        answer::Success,
        app::App,
        body,
        error::ApiError,
        fields,
        invalid::Invalid,
        target::{Target, idempotency_key},
    },
    settings::Limits,
};

/// Renews a lease, and replaces its token unless the client keeps it.
pub async fn extend(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, token, headers, body } = target;
    let token = token.ok_or(ApiError::MissingToken)?;
    let body = body::read(&app, &headers, body, body::LONGEST).await?;
    let asked = asked(app.limits(), resource, token, body::parse(&body)?, idempotency_key(&headers, &caller)?)?;
    let extended = app.service.extend(&caller, &asked).await?;
    answer(asked, extended).map(Success::into_response)
}

/// What the fields ask for.
pub fn asked(
    limits: &Limits,
    resource: ResourceName,
    token: Token,
    fields: gorilla_wire::Extend<&RawValue>,
    key: Option<IdempotencyKey>,
) -> Result<Extend, Invalid> {
    let lease = fields::lease(fields.timeout, limits.max_timeout)?;
    let metadata = fields.metadata.map(|metadata| fields::metadata(Some(metadata))).transpose()?;
    let keeps_token = !fields::rotate(fields.rotate)?;
    let convert = fields::mode(fields.mode, fields.limit, fields.permits)?;
    if keeps_token && convert.is_some() {
        let rule = "must be true with \"mode\", because a conversion is a new grant with a new token";
        return Err(Invalid::new("rotate", rule));
    }
    let once = key.map(|key| {
        let (timeout, share) = (lease.as_millis().to_string(), convert.and_then(Mode::share).map(fields::share));
        let mut print = vec!["extend", token.expose(), &timeout];
        // An extend without these fields has the fingerprint that version 0.1 gave it.
        if keeps_token {
            print.push("keeps_token");
        }
        if let Some(metadata) = &metadata {
            print.extend(["metadata", metadata.as_str()]);
        }
        match convert {
            None => {}
            Some(Mode::Exclusive) => print.push("exclusive"),
            Some(Mode::Shared(_)) => print.extend(share.iter().flatten().map(String::as_str)),
        }
        Once::new(key, &print)
    });
    Ok(Extend { resource, token, lease, metadata, keeps_token, convert, once })
}

/// What the client is told.
pub fn answer(asked: Extend, extended: Extended) -> Result<Success, ApiError> {
    let (resource, lease) = (asked.resource.clone(), asked.lease.as_duration());
    let (lock, replayed) = self::extended(asked, extended)?;
    Ok(Success::lock(&resource, &lock, lease, replayed))
}

/// The lock that an extend renewed, and whether it was renewed before.
pub fn extended(asked: Extend, extended: Extended) -> Result<(Lock, bool), ApiError> {
    let (resource, lease) = (asked.resource, asked.lease.as_duration());
    Err(match extended {
        Extended::Extended(lock) => return Ok((lock, false)),
        Extended::Replayed(lock) => return Ok((lock, true)),
        Extended::Missing => ApiError::LockNotFound { resource },
        Extended::TokenMismatch(holder) => ApiError::TokenMismatch { resource, holder },
        Extended::Crowd(holder, group) => ApiError::LockHeld { resource, holder, group: Some(group), waiting: None },
        Extended::LimitMismatch { limit } => ApiError::LimitMismatch { resource, limit },
        Extended::Breaking { ttl } => ApiError::LockBreaking { resource, ttl },
        Extended::Shorter { ttl } => ApiError::TimeoutShorter { ttl, asked: lease },
        Extended::Recovering(left) => ApiError::Recovering { resource, left, waiting: None },
        Extended::Unsettled(left) => ApiError::Unsettled { resource, left },
        Extended::Gone => ApiError::LockGone { resource },
        Extended::KeyReused => ApiError::KeyReused,
        Extended::AfterBreak(refused, broken) => {
            return self::extended(Extend { resource, ..asked }, *refused).map_err(|error| error.after(broken));
        }
    })
}

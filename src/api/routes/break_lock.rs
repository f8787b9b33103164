//! `POST /api/v1/locks/{resource}/break`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use gorilla_domain::{Break, Broken, Ended, Once};
use serde_json::value::RawValue;

use crate::api::{
    answer,
    app::App,
    body,
    error::ApiError,
    fields,
    target::{Target, idempotency_key},
};

/// Ends a lock whose holder is gone. The body is optional: if `fence` is given, only the grant with that fence is
/// ended; `reason` goes into the audit log; with `grace` its
/// holder may keep it for so long.
pub async fn break_lock(State(app): State<App>, target: Target) -> Result<Response, ApiError> {
    let Target { caller, resource, headers, body, .. } = target;
    let body = body::read(&app, &headers, body, body::LONGEST).await?;
    let asked: gorilla_wire::Break<&RawValue> = body::parse(if body.is_empty() { b"{}" } else { &body })?;
    let fence = fields::fence(asked.fence)?;
    let reason = fields::reason(asked.reason)?;
    let grace = fields::grace(asked.grace, app.limits().max_timeout)?;
    let fence_text = fence.map(|fence| fence.to_string()).unwrap_or_default();
    let once = idempotency_key(&headers, &caller)?.map(|key| {
        let grace_text = (!grace.is_zero()).then(|| grace.as_millis().to_string());
        let print =
            ["break", &fence_text, reason.as_deref().unwrap_or_default()].into_iter().chain(grace_text.as_deref());
        Once::new(key, &print.collect::<Vec<_>>())
    });

    let asked = Break { resource, fence, reason, grace, once };
    let broken = app.service.break_lock(&caller, &asked).await?;
    let resource = asked.resource;
    let answer = |Ended { id, owner, fence, left }: Ended, replayed| {
        let ttl_ms = left.map(answer::milliseconds);
        let body = gorilla_wire::Broken { resource: resource.as_str(), id: &id, owner: &owner, fence, ttl_ms };
        answer::mark(answer::json(&body), replayed)
    };
    Ok(match broken {
        Broken::Broken(ended) => answer(ended, false),
        Broken::Replayed(ended) => answer(ended, true),
        Broken::Missing => ApiError::LockNotFound { resource }.into_response(),
        Broken::Changed(holder) => ApiError::FenceChanged { resource, holder }.into_response(),
        Broken::FenceRequired(group) => ApiError::FenceRequired { resource, group }.into_response(),
        Broken::KeyReused => ApiError::KeyReused.into_response(),
    })
}

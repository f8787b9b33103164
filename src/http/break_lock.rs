//! `POST /api/v1/locks/{resource}/break`

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::value::RawValue;

use super::{
    App, answer, body,
    error::ApiError,
    extract::{About, once},
    observe::Caller,
};
use crate::lock::{Broken, Ended, Invalid};

/// In bytes.
const LONGEST_REASON: usize = 256;

/// Ends a lock whose holder is gone. The body is optional: `fence` names the one grant to end, `reason` goes into the
/// audit log.
pub async fn break_lock(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    about: About,
) -> Result<Response, ApiError> {
    let About { resource, headers, body, .. } = about;
    let body = body::read(&app, &headers, body).await?;
    let asked: gorilla_wire::Break<&RawValue> = body::parse(if body.is_empty() { b"{}" } else { &body })?;
    let [fence, reason] = [asked.fence, asked.reason].map(|raw| raw.map(RawValue::get).filter(|raw| *raw != "null"));
    let fence = fence.map(parse_fence).transpose()?;
    let reason = reason.map(parse_reason).transpose()?;

    let fence_text = fence.map(|fence| fence.to_string()).unwrap_or_default();
    let once = once(&headers, &["break", &fence_text, reason.as_deref().unwrap_or_default()])?;
    let answer = |Ended { id, owner, fence }: Ended, replayed| {
        let body = gorilla_wire::Broken { resource: resource.as_str(), id: &id, owner: &owner, fence };
        answer::mark(answer::json(&body), replayed)
    };
    Ok(match app.store.break_lock(&resource, fence, once.as_ref()).await? {
        Broken::Broken(ended) => {
            tracing::warn!(
                target: "gorilla::audit",
                action = "break",
                resource = resource.as_str(),
                owner = ended.owner,
                fence = ended.fence,
                lock_id = ended.id,
                reason,
                peer = %caller.peer,
                request_id = caller.request_id,
                "a lock was broken"
            );
            answer(ended, false)
        }
        Broken::Replayed(ended) => answer(ended, true),
        Broken::Missing => ApiError::LockNotFound { resource }.into_response(),
        Broken::Changed(holder) => ApiError::FenceChanged { resource, holder }.into_response(),
        Broken::KeyReused => ApiError::KeyReused.into_response(),
    })
}

fn parse_fence(raw: &str) -> Result<u64, Invalid> {
    let fence = raw.parse().ok().filter(|fence| (1..1 << 53).contains(fence));
    fence
        .ok_or_else(|| Invalid::new("fence", "must be the fence of the grant to end: a whole number from 1 below 2^53"))
}

fn parse_reason(raw: &str) -> Result<String, Invalid> {
    let reason = serde_json::from_str::<String>(raw).ok().filter(|reason| reason.len() <= LONGEST_REASON);
    reason.ok_or_else(|| Invalid::new("reason", format!("must be a string of at most {LONGEST_REASON} bytes")))
}

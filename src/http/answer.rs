//! The JSON of successes.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Number, value::RawValue};

use crate::{
    lock::{Lock, ResourceName, State, Tenure},
    rfc3339::Rfc3339,
};

/// In bytes; longer than a lock mostly is.
const USUAL_LENGTH: usize = 512;

/// A lock, for its holder.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeldLock<'a> {
    id: &'a str,
    owner: &'a str,
    resource: &'a str,
    token: &'a str,
    timeout: Number,
    metadata: &'a RawValue,
    created_at: Rfc3339,
    updated_at: Rfc3339,
    expire_at: Rfc3339,
    fence: u64,
    ttl_ms: u64,
}

/// A resource, for everybody.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", untagged)]
enum PublicState<'a> {
    #[serde(rename_all = "camelCase")]
    Held {
        resource: &'a str,
        held: bool,
        id: &'a str,
        owner: &'a str,
        fence: u64,
        metadata: &'a RawValue,
        created_at: Rfc3339,
        updated_at: Rfc3339,
        expire_at: Rfc3339,
        ttl_ms: u64,
        waiting: u64,
    },
    Free {
        resource: &'a str,
        held: bool,
        waiting: u64,
    },
}

/// 200 with a lock. `timeout` is in milliseconds here and in seconds in the answer.
pub fn lock(resource: &ResourceName, lock: &Lock, timeout: u64, replayed: bool) -> Response {
    let Tenure { id, owner, metadata, fence, created, updated, expires, ttl } = &lock.tenure;
    let body = HeldLock {
        id,
        owner,
        resource: resource.as_str(),
        token: lock.token.expose(),
        timeout: seconds(timeout),
        metadata: metadata.as_json(),
        created_at: Rfc3339::from_millis(*created),
        updated_at: Rfc3339::from_millis(*updated),
        expire_at: Rfc3339::from_millis(*expires),
        fence: *fence,
        ttl_ms: *ttl,
    };
    mark(json(&body), replayed)
}

/// What everybody may know of a resource, to be serialised.
pub fn public_state<'a>(resource: &'a ResourceName, state: &'a State) -> impl Serialize + 'a {
    let resource = resource.as_str();
    match state {
        State::Held { tenure, waiting, .. } => PublicState::Held {
            resource,
            held: true,
            id: &tenure.id,
            owner: &tenure.owner,
            fence: tenure.fence,
            metadata: tenure.metadata.as_json(),
            created_at: Rfc3339::from_millis(tenure.created),
            updated_at: Rfc3339::from_millis(tenure.updated),
            expire_at: Rfc3339::from_millis(tenure.expires),
            ttl_ms: tenure.ttl,
            waiting: *waiting,
        },
        State::Free { waiting } => PublicState::Free { resource, held: false, waiting: *waiting },
    }
}

/// 200 with JSON.
pub fn json(body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(USUAL_LENGTH);
    // None of the bodies can fail to serialise: no maps with keys that are no strings, no failing impls.
    if serde_json::to_writer(&mut text, body).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Says whether the answer is that of an earlier request.
pub fn mark(mut response: Response, replayed: bool) -> Response {
    if replayed {
        response.headers_mut().insert("idempotent-replay", HeaderValue::from_static("true"));
    }
    response
}

/// Milliseconds as JSON seconds: whole numbers as integers.
pub fn seconds(milliseconds: u64) -> Number {
    let fraction = || Number::from_f64(milliseconds as f64 / 1000.0);
    if milliseconds.is_multiple_of(1000) { None } else { fraction() }.unwrap_or_else(|| (milliseconds / 1000).into())
}

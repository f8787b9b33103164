//! The JSON of successes.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Number, value::RawValue};

use crate::{
    json::Object,
    lock::{Lock, ResourceName, State, Tenure},
    rfc3339::Rfc3339,
};

/// In bytes; longer than a lock mostly is.
const USUAL_LENGTH: usize = 512;

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

/// 200 with a lock, for its holder. `timeout` is in milliseconds here and in seconds in the answer.
pub fn lock(resource: &ResourceName, lock: &Lock, timeout: u64, replayed: bool) -> Response {
    let Tenure { id, owner, metadata, fence, created, updated, expires, ttl } = &lock.tenure;
    let mut body = Object::with_capacity(USUAL_LENGTH);
    body.text("id", id);
    body.text("owner", owner);
    body.text("resource", resource.as_str());
    body.text("token", lock.token.expose());
    body.value("timeout", seconds(timeout));
    body.raw("metadata", metadata.as_json().get());
    body.text("createdAt", Rfc3339::from_millis(*created).as_str());
    body.text("updatedAt", Rfc3339::from_millis(*updated).as_str());
    body.text("expireAt", Rfc3339::from_millis(*expires).as_str());
    body.whole("fence", *fence);
    body.whole("ttlMs", *ttl);
    mark(ok(body.end()), replayed)
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
    // None of the bodies can fail to serialise: no maps with keys that are no strings, no failing impls.
    serde_json::to_string(body).map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), ok)
}

/// 200 with text that is JSON.
fn ok(json: String) -> Response {
    let mut response = Response::new(Body::from(json));
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

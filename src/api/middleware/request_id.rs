//! The name of a request, by which a client finds it in the log: `X-Request-Id`.

use axum::{
    http::{HeaderName, HeaderValue},
    response::Response,
};
use gorilla_domain::uuid_text;
use uuid::Uuid;

use super::head::Head;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// In bytes.
const LONGEST: usize = 128;

/// The client's name for its request if it is fit to be a header and to be logged; otherwise a new name.
pub fn of(head: &Head) -> String {
    let given = head.request_id.first.and_then(|id| id.to_str().ok());
    let fit = given.filter(|id| (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
    fit.map_or_else(|| uuid_text(Uuid::new_v4()), String::from)
}

/// Tells the client the name.
pub fn tell(response: &mut Response, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

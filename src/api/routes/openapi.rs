//! `/openapi.json`: the interface, for machines.

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// The document, embedded at build time: a replica describes the interface that it has.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// The ETag, by which a client learns whether it already has this document: a digest, in quotes as HTTP wants it.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let digits: String = Sha256::digest(DOCUMENT)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
});

/// The document, or 304 for a client that has it. Clients may keep it but must ask each time whether it has changed,
/// because the next release has another document.
pub async fn openapi(headers: HeaderMap) -> Response {
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags = given.flat_map(|value| value.split(',')).map(str::trim);
    let known = tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag)).any(|tag| tag == "*" || tag == *ETAG);
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Digits and quotes always fit into a header.
    if let Ok(tag) = HeaderValue::from_str(&ETAG) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

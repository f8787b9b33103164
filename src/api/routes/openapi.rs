//! `/openapi.json`: the interface, for machines.

use std::sync::LazyLock;

use axum::{http::HeaderMap, response::Response};

use super::embedded::Embedded;

/// The document, embedded at build time: a replica describes the interface that it has.
static DOCUMENT: LazyLock<Embedded> =
    LazyLock::new(|| Embedded::new("application/json", include_str!("../../../docs/openapi.json").as_bytes()));

/// The document, or 304 for a client that has it.
pub async fn openapi(headers: HeaderMap) -> Response {
    DOCUMENT.answer(&headers)
}

//! How the document describes an operation.

use http::StatusCode;
use serde_json::{Value, json};

/// The type of most bodies.
pub const JSON: &str = "application/json";

/// What the document says of an operation beside its method and path.
pub struct Description {
    /// The name that generated clients call it by.
    pub id: &'static str,
    /// The group that it belongs to.
    pub tag: &'static str,
    /// A line that says what it does.
    pub summary: &'static str,
    /// What else there is to know.
    pub description: &'static str,
    /// Parameters beside those of the path and X-Request-Id.
    pub parameters: Vec<Value>,
    /// The body that it takes.
    pub body: Option<RequestBody>,
    /// Its answers that are not refusals.
    pub successes: Vec<Success>,
}

/// The body of a request.
pub struct RequestBody {
    /// The name of its schema.
    pub schema: &'static str,
    /// Whether the request must have it.
    pub required: bool,
    /// By their names.
    pub examples: Value,
    /// The most bytes.
    pub longest: &'static str,
}

/// An answer that is not a refusal.
pub struct Success {
    /// The status.
    pub status: StatusCode,
    /// When the server gives it.
    pub description: &'static str,
    /// Headers beside X-Request-Id.
    pub headers: &'static [&'static str],
    /// The schema and examples of its body, if it has one.
    pub content: Option<Value>,
    /// The type of its body.
    pub media: &'static str,
}

/// The answer 200 with JSON.
pub fn ok(description: &'static str, headers: &'static [&'static str], schema: Value, examples: Value) -> Vec<Success> {
    let content = Some(json!({ "schema": schema, "examples": examples }));
    vec![Success { status: StatusCode::OK, description, headers, content, media: JSON }]
}

/// The answers with a file that a client may keep.
pub fn document(description: &'static str, media: &'static str, schema: Value) -> Vec<Success> {
    let headers: &[&str] = &["ETag", "Cache-Control"];
    let content = Some(json!({ "schema": schema }));
    vec![
        Success { status: StatusCode::OK, description, headers, content, media },
        Success { status: StatusCode::NOT_MODIFIED, description: "The client has it.", headers, content: None, media },
    ]
}

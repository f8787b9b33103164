//! The parameters of requests, and the headers of answers.

use http::StatusCode;
use serde_json::{Value, json};

use crate::Code;

const TOKEN: &str = "997f2fe4-d0cb-4d03-b066-beeea3b31eec";

/// The parameters that several operations have. Those of a path are named as in its braces.
pub fn parameters() -> Value {
    json!({
        "resource": {
            "name": "resource",
            "in": "path",
            "required": true,
            "description": "Percent-encoded. After decoding 1 to 256 bytes of UTF-8 without control characters \
             or `/`; neither `.` nor `..`.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 256,
                "pattern": "^[^/\\u0000-\\u001f\\u007f-\\u009f]+$",
                "not": { "enum": [".", ".."] },
            },
            "example": "stock",
        },
        "token": {
            "name": "token",
            "in": "path",
            "required": true,
            "description": "The token of the lock, a UUID. Any other text is a token that no lock has.",
            "schema": { "type": "string" },
            "example": TOKEN,
        },
        "file": {
            "name": "file",
            "in": "path",
            "required": true,
            "description": "The name of the file, as the page has it.",
            "schema": { "type": "string" },
            "example": "start.js",
        },
        "Lock-Token": {
            "name": "Lock-Token",
            "in": "header",
            "required": true,
            "description": "The token of the lock, kept out of paths. Without it the answer is 400 `token_required`.",
            "schema": { "type": "string" },
            "example": TOKEN,
        },
        "Lock-Token-optional": {
            "name": "Lock-Token",
            "in": "header",
            "required": false,
            "description": "The token of the lock: answers its status instead of the public state.",
            "schema": { "type": "string" },
            "example": TOKEN,
        },
        "Idempotency-Key": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "The same key on the same resource with the same request gives the answer of the \
             first success again, for 60 s. Refusals are not remembered.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
            "example": "4f0f3b6e-6f0b-4a53-9c1e-0c4a6a1f7d55",
        },
        "X-Request-Id": {
            "name": "X-Request-Id",
            "in": "header",
            "required": false,
            "description": "1 to 128 visible ASCII characters are taken over into the answer and the log.",
            "schema": { "type": "string" },
            "example": "deploy-42",
        },
    })
}

/// The parameters of the list alone.
pub fn of_list() -> [Value; 5] {
    [
        json!({
            "name": "prefix",
            "in": "query",
            "description": "Only resources whose names begin with it; at most 256 bytes.",
            "schema": { "type": "string", "maxLength": 256 },
            "example": "stock",
        }),
        json!({
            "name": "owner",
            "in": "query",
            "description": "Only locks that this owner holds; compared to the letter.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 256 },
            "example": "worker-7",
        }),
        json!({
            "name": "cursor",
            "in": "query",
            "description": "The cursor that the previous page gave.",
            "schema": { "type": "string", "pattern": "^(([0-9]{1,4}|s)-[0-9]{1,19})?$" },
            "example": "0-8",
        }),
        json!({
            "name": "limit",
            "in": "query",
            "description": "About how many locks a page has, or with `owner` how many locks Gorilla looks at.",
            "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 },
        }),
        json!({
            "name": "sort",
            "in": "query",
            "description": "The order: by how many wait, by how long the lock has been held (both the most first), by how \
             much is left of the lease (the least first), or by name. Above 200,000 locks it needs a `prefix` that \
             fewer have.",
            "schema": { "type": "string", "enum": ["waiting", "age", "left", "name"] },
        }),
    ]
}

/// The parameter of a queue alone.
pub fn of_queue() -> Value {
    json!({
        "name": "limit",
        "in": "query",
        "description": "How many requests to tell at most, the first in the queue.",
        "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 1000 },
    })
}

/// The parameter of what is told of a range of time.
pub fn of_range() -> Value {
    json!({
        "name": "range",
        "in": "query",
        "description": "How far back, as a whole number with `s`, `m` or `h` behind it: from 1 minute to 1 hour.",
        "schema": { "type": "string", "pattern": "^[1-9][0-9]{0,3}[smh]$", "default": "15m" },
        "example": "15m",
    })
}

/// The parameter of a release alone.
pub fn of_release() -> Value {
    json!({
        "name": "after",
        "in": "query",
        "required": false,
        "description": "Seconds after which the lock ends, if its lease does not end before: 0 to `limits.max_timeout` \
         (86400 by default). The token is dead at once. With 0 or without this parameter the lock is free at once.",
        "schema": { "type": "number", "minimum": 0, "maximum": 86400 },
        "example": 5,
    })
}

/// The parameter of the document, of its page and of the files of the page.
pub fn of_document() -> Value {
    json!({
        "name": "If-None-Match",
        "in": "header",
        "required": false,
        "description": "The ETag of what the client has.",
        "schema": { "type": "string" },
    })
}

/// The headers of answers.
pub fn headers() -> Value {
    json!({
        "X-Request-Id": {
            "description": "The client's name for the request, or a UUID.",
            "schema": { "type": "string" },
        },
        "Idempotent-Replay": {
            "description": "Present and `true` if this success was answered before.",
            "schema": { "type": "string", "const": "true" },
        },
        "Retry-After": { "description": "Seconds.", "schema": { "type": "integer", "minimum": 1 } },
        "Allow": { "description": "The methods of the path.", "schema": { "type": "string" } },
        "WWW-Authenticate": {
            "description": "`Bearer`; with `error=\"invalid_token\"` if the request had a key.",
            "schema": { "type": "string" },
        },
        "ETag": { "description": "Changes when what it belongs to changes.", "schema": { "type": "string" } },
        "Cache-Control": {
            "description": "`no-cache`: a client may keep the answer, and asks each time whether it has changed.",
            "schema": { "type": "string", "const": "no-cache" },
        },
    })
}

/// The header that the answers with a code have beside X-Request-Id.
pub fn header_of(code: Code) -> Option<&'static str> {
    match code.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Some("Retry-After"),
        StatusCode::METHOD_NOT_ALLOWED => Some("Allow"),
        StatusCode::UNAUTHORIZED => Some("WWW-Authenticate"),
        _ => None,
    }
}

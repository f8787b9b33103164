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

/// The parameters of the public state alone.
pub fn of_state() -> [Value; 3] {
    [
        json!({
            "name": "until",
            "in": "query",
            "description": "Answer when nobody holds the lock (`free`), or when another grant stands than that with `fence`, \
             or none (`changed`).",
            "schema": { "enum": ["free", "changed"] },
        }),
        json!({
            "name": "fence",
            "in": "query",
            "description": "With `until=changed`: the fence of the grant that the client knows; 0 if it knows that nobody \
             holds the lock. Without it, what Gorilla finds first.",
            "schema": { "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 },
        }),
        of_wait("With `until`: how long to wait, in seconds, from 0 to `limits.max_wait` (60 by default).", 30),
    ]
}

fn of_wait(description: &str, default: u64) -> Value {
    json!({
        "name": "wait",
        "in": "query",
        "description": description,
        "schema": { "type": "number", "minimum": 0, "maximum": 60, "default": default },
    })
}

/// The parameters of the events alone.
pub fn of_events() -> [Value; 10] {
    [
        json!({
            "name": "prefix",
            "in": "query",
            "description": "Only locks whose names begin with it; at most 256 bytes.",
            "schema": { "type": "string", "maxLength": 256 },
        }),
        json!({
            "name": "resource",
            "in": "query",
            "description": "Only these locks; repeat it for up to 16 names.",
            "schema": { "type": "array", "maxItems": 16, "items": { "type": "string", "minLength": 1, "maxLength": 256 } },
            "style": "form",
            "explode": true,
        }),
        json!({
            "name": "owner",
            "in": "query",
            "description": "Only events with this owner; compared to the letter.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 256 },
        }),
        json!({
            "name": "types",
            "in": "query",
            "description": "Only events of these types, with commas between them. `leader` and `vacant` need `resource`.",
            "schema": { "type": "array", "items": { "type": "string", "enum": crate::EVENT_TYPES } },
            "style": "form",
            "explode": false,
        }),
        json!({
            "name": "snapshot",
            "in": "query",
            "description": "With 1 the stream begins with the states of the locks. Not for a long poll.",
            "schema": { "enum": ["0", "1"], "type": "string" },
        }),
        json!({
            "name": "since",
            "in": "query",
            "description": "Only what happened after this cursor. Without it, what happens from now on.",
            "schema": { "type": "string", "maxLength": 256 },
        }),
        json!({
            "name": "recent",
            "in": "query",
            "description": "Without `since`, so many of the last events come first, as far as Redis has them; in the stream \
                            `synced` ends them. Not together with `snapshot`.",
            "schema": { "type": "integer", "minimum": 0, "maximum": 500, "default": 0 },
        }),
        json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The same as `since`, as browsers send it.",
            "schema": { "type": "string", "maxLength": 256 },
        }),
        of_wait("Only for a long poll: how long to wait for an event, in seconds.", 0),
        json!({
            "name": "limit",
            "in": "query",
            "description": "Only for a long poll: the highest number of events.",
            "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 500 },
        }),
    ]
}

/// The parameters of the history alone.
pub fn of_history() -> [Value; 2] {
    [
        json!({
            "name": "limit",
            "in": "query",
            "description": "The highest number of events.",
            "schema": { "type": "integer", "minimum": 1, "maximum": 500, "default": 100 },
        }),
        json!({
            "name": "before",
            "in": "query",
            "description": "Only events before this cursor: that of the page before.",
            "schema": { "type": "string", "maxLength": 256 },
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

/// The parameters of a look at an election.
pub fn of_leader() -> [Value; 2] {
    [
        json!({
            "name": "after",
            "in": "query",
            "required": false,
            "description": "What the client knows already: the `term` of the last answer, or `none` if it was null. With \
             `wait` the answer comes as soon as there is news: with a term, that nobody leads or that a later term has \
             begun; with `none`, that somebody leads.",
            "schema": { "type": "string", "pattern": "^(none|[0-9]{1,16})$" },
            "example": "1795426110645374",
        }),
        json!({
            "name": "wait",
            "in": "query",
            "required": false,
            "description": "Seconds to wait for news at most; needs `after`. 0 to `limits.max_wait` (60 by default). The \
             answer at the end of the wait is the state, as without it.",
            "schema": { "type": "number", "minimum": 0, "maximum": 60 },
            "example": 30,
        }),
    ]
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

//! What the document says of each operation.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    component::component,
    examples::{self, breaking, broken, election, extended, free, held, leadership, lock, set},
    parameters::{of_document, of_events, of_history, of_leader, of_list, of_release, of_state},
};
use crate::{Alive, EVENT_STREAM, Health, Limit, Mode, Operation, Page, Queue, Readiness, Ready, Waiter};

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

const LONGEST: &str = "16,384";
const JSON: &str = "application/json";

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
    /// Another type that its body may have, with the schema and examples of that.
    pub other: Option<(&'static str, Value)>,
}

/// Describes an operation.
pub fn describe(operation: Operation) -> Description {
    let key = || component("parameters", "Idempotency-Key");
    let token = || component("parameters", "Lock-Token");
    match operation {
        Operation::List => Description {
            id: "list",
            tag: "locks",
            summary: "The held locks, page by page",
            description: "Walks Redis with SCAN: a page may have a few locks more than `limit`, fewer or none. \
                          Only a null cursor is the end. A lock held all the while is on one page at least.",
            parameters: of_list().into(),
            body: None,
            successes: ok(
                "A page.",
                &[],
                component("schemas", "Page"),
                json!({
                    "page": { "value": Page { locks: vec![held()], scope: None, cursor: Some("0-8".into()) } },
                    "within": { "value": Page::<()> { locks: vec![], scope: Some(vec!["orders:".into()]), cursor: None } },
                    "last": { "value": Page::<()> { locks: vec![], scope: None, cursor: None } },
                }),
            ),
        },
        Operation::AcquireSet => Description {
            id: "acquireSet",
            tag: "locks",
            summary: "Take several locks, all or none",
            description: "Takes the locks in the order of the bytes of their names, and waits for them with `wait`. The \
                          answer has all of them, in the order of the request, or none; a refusal names the \
                          `resource` that refused. Extend and release each lock by its own token.",
            parameters: vec![key()],
            body: Some(RequestBody {
                schema: "AcquireSet",
                required: true,
                longest: "131,072",
                examples: json!({
                    "transfer": {
                        "value": {
                            "owner": "transfer-7",
                            "timeout": 30,
                            "wait": 20,
                            "resources": [{ "resource": "account-7" }, { "resource": "account-3" }],
                        },
                    },
                }),
            }),
            successes: ok(
                "All granted, or granted before to the same Idempotency-Key.",
                &["Idempotent-Replay"],
                component("schemas", "LockSet"),
                json!({ "granted": { "value": set() } }),
            ),
        },
        Operation::State => Description {
            id: "state",
            tag: "locks",
            summary: "Who holds a lock, for everybody",
            description: "Never tells a token. With the header Lock-Token it is the status of the holder's lock. With \
                          `until` the answer comes when the lock is free or has changed, or when `wait` is over: 200 \
                          with the state either way. It reserves nothing.",
            parameters: [component("parameters", "Lock-Token-optional")].into_iter().chain(of_state()).collect(),
            body: None,
            successes: ok(
                "The public state; with Lock-Token the lock.",
                &[],
                json!({ "oneOf": (["Held", "Shared", "Free", "Lock"].map(|name| component("schemas", name))) }),
                json!({
                    "held": { "value": held() },
                    "free": { "value": free() },
                    "withLockToken": { "value": lock(30_000, 30_176) },
                }),
            ),
        },
        Operation::Acquire => Description {
            id: "acquire",
            tag: "locks",
            summary: "Take a lock",
            description: "Grants the lock if it is free and no request waits for it. Otherwise the request is \
                          refused; with `wait` it joins the queue, first come, first served.",
            parameters: vec![key()],
            body: Some(RequestBody {
                schema: "Acquire",
                required: true,
                longest: LONGEST,
                examples: json!({
                    "short": { "value": { "owner": "worker-7", "timeout": 30.5 } },
                    "withMetadata": {
                        "value": { "owner": "worker-7", "timeout": 30, "metadata": { "job": "nightly" } },
                    },
                    "newest": {
                        "value": { "owner": "ci/4712", "timeout": 30, "wait": 60, "replaces": "deploy of main" },
                    },
                    "waiting": { "value": { "owner": "worker-8", "timeout": 30, "wait": 20 } },
                }),
            }),
            successes: ok(
                "Granted, or granted before to the same Idempotency-Key.",
                &["Idempotent-Replay"],
                component("schemas", "Lock"),
                json!({ "granted": { "value": lock(30_500, 30_500) } }),
            ),
        },
        Operation::ExtendByHeader => Description {
            id: "extendByHeader",
            summary: "Extend a lease, the token in a header",
            parameters: vec![token(), key()],
            ..describe(Operation::Extend)
        },
        Operation::Extend => Description {
            id: "extend",
            tag: "locks",
            summary: "Extend a lease",
            description: "The new lease counts from now and is not shorter than what remains. The answer has a \
                          new token and the old token is dead from then on, unless `rotate` is `false`: then the \
                          token stays, and a lost answer costs nothing.",
            parameters: vec![key()],
            body: Some(RequestBody {
                schema: "Extend",
                required: true,
                longest: LONGEST,
                examples: json!({
                    "extend": { "value": { "timeout": 60 } },
                    "keepTheToken": { "value": { "timeout": 60, "rotate": false } },
                    "newMetadata": { "value": { "timeout": 60, "metadata": { "step": 2 } } },
                }),
            }),
            successes: ok(
                "Extended, or extended before by the same Idempotency-Key.",
                &["Idempotent-Replay"],
                component("schemas", "Lock"),
                json!({ "extended": { "value": extended() } }),
            ),
        },
        Operation::ReleaseByHeader => Description {
            id: "releaseByHeader",
            summary: "Release a lock, the token in a header",
            parameters: vec![token(), key(), of_release()],
            ..describe(Operation::Release)
        },
        Operation::Release => Description {
            id: "release",
            tag: "locks",
            summary: "Release a lock",
            description: "Frees the lock, and the first request of its queue is granted it. With `after` the lock \
                          ends after that time, and nobody can extend it meanwhile.",
            parameters: vec![key(), of_release()],
            body: None,
            successes: vec![Success {
                status: StatusCode::NO_CONTENT,
                description: "The lock is free; with `after` it is free after that time.",
                headers: &["Idempotent-Replay"],
                content: None,
                media: JSON,
                other: None,
            }],
        },
        Operation::Status => Description {
            id: "status",
            tag: "locks",
            summary: "A lock, for the holder of its token",
            description: "`timeout` is the whole seconds that remain, rounded down; `ttlMs` is exact.",
            parameters: vec![],
            body: None,
            successes: ok(
                "The token is the lock's current one.",
                &[],
                component("schemas", "Lock"),
                json!({ "status": { "value": lock(30_000, 30_176) } }),
            ),
        },
        Operation::Break => Description {
            id: "break",
            tag: "locks",
            summary: "End a lock whose holder is gone",
            description: "Needs no token and is recorded in the audit log. Give `fence`, or you may break the \
                          lock of the next holder. With `grace` the holder keeps the lock for so long, and \
                          can't extend it.",
            parameters: vec![key()],
            body: Some(RequestBody {
                schema: "Break",
                required: false,
                longest: LONGEST,
                examples: json!({
                    "one": { "value": { "fence": broken().fence, "reason": "worker-7 lost its disk" } },
                    "withGrace": { "value": { "fence": broken().fence, "grace": 10, "reason": "maintenance" } },
                }),
            }),
            successes: ok(
                "Broken, or broken before by the same Idempotency-Key.",
                &["Idempotent-Replay"],
                component("schemas", "Broken"),
                json!({ "broken": { "value": broken() }, "withGrace": { "value": breaking() } }),
            ),
        },
        Operation::Queue => Description {
            id: "queue",
            tag: "locks",
            summary: "The requests that wait for a lock",
            description: "First come, first served.",
            parameters: vec![],
            body: None,
            successes: ok("The queue.", &[], component("schemas", "Queue"), json!({ "queue": { "value": queue() } })),
        },
        Operation::Limit => Description {
            id: "limit",
            tag: "locks",
            summary: "The limit of a shared lock",
            description: "The limit that is pinned, or that the present holders or waiters have named.",
            parameters: vec![],
            body: None,
            successes: ok(
                "The limit.",
                &[],
                component("schemas", "Limit"),
                json!({ "limit": { "value": limit(true) } }),
            ),
        },
        Operation::PinLimit => Description {
            id: "pinLimit",
            tag: "locks",
            summary: "Pin the limit of a shared lock",
            description: "Until it is unpinned, requests may leave their limit out. A lower limit ends no lock; a higher \
                          one lets requests in that wait. Recorded in the audit log.",
            parameters: vec![],
            body: Some(RequestBody {
                schema: "Pin",
                required: true,
                examples: json!({ "three": { "value": { "limit": 3 } } }),
                longest: LONGEST,
            }),
            successes: ok("Pinned.", &[], component("schemas", "Limit"), json!({ "pinned": { "value": limit(true) } })),
        },
        Operation::UnpinLimit => Description {
            id: "unpinLimit",
            tag: "locks",
            summary: "Unpin the limit of a shared lock",
            description: "The present holders keep it until the last of them has gone. Recorded in the audit log.",
            parameters: vec![],
            body: None,
            successes: ok(
                "Not pinned.",
                &[],
                component("schemas", "Limit"),
                json!({ "left": { "value": limit(false) } }),
            ),
        },
        Operation::Leader => Description {
            id: "leader",
            tag: "elections",
            summary: "Who leads an election, for everybody",
            description: "An election is the lock of the same name: its leader holds the lock exclusively, and a term is a \
                          fence. Never tells a token. With `after` and `wait` the answer comes when there is news. A \
                          leader must not ask here whether it leads: only its own lease says that.",
            parameters: of_leader().into(),
            body: None,
            successes: ok(
                "The election.",
                &[],
                component("schemas", "Election"),
                json!({ "leader": { "value": election(true) }, "vacant": { "value": election(false) } }),
            ),
        },
        Operation::Campaign => Description {
            id: "campaign",
            tag: "elections",
            summary: "Campaign for the leadership",
            description: "Takes the lock of this name exclusively, as an acquire does, with the same rights and refusals. \
                          With `wait` the request is a candidate in the queue, first come, first served. The lease \
                          begins with the election, not with the candidacy.",
            parameters: vec![key()],
            body: Some(RequestBody {
                schema: "Campaign",
                required: true,
                longest: LONGEST,
                examples: json!({
                    "campaign": {
                        "value": {
                            "owner": "worker-7", "timeout": 30, "wait": 30,
                            "metadata": { "url": "http://10.0.0.7:8080" },
                        },
                    },
                }),
            }),
            successes: ok(
                "Elected, or elected before by the same Idempotency-Key.",
                &["Idempotent-Replay"],
                component("schemas", "Leadership"),
                json!({ "elected": { "value": leadership(30_000) } }),
            ),
        },
        Operation::Keep => Description {
            id: "keep",
            tag: "elections",
            summary: "Keep the leadership, and proclaim",
            description: "Extends the lease, as an extend does. With `metadata` the leader proclaims something else.",
            parameters: vec![token(), key()],
            body: Some(RequestBody {
                schema: "Keep",
                required: true,
                longest: LONGEST,
                examples: json!({
                    "keep": { "value": { "timeout": 30, "rotate": false } },
                    "proclaim": { "value": { "timeout": 30, "metadata": { "url": "http://10.0.0.7:8081" } } },
                }),
            }),
            successes: ok(
                "Kept, or kept before by the same Idempotency-Key.",
                &["Idempotent-Replay"],
                component("schemas", "Leadership"),
                json!({ "kept": { "value": leadership(30_000) } }),
            ),
        },
        Operation::Resign => Description {
            id: "resign",
            tag: "elections",
            summary: "Give the leadership up",
            description: "Releases the lock, and the first candidate is elected.",
            parameters: vec![token(), key()],
            body: None,
            successes: vec![Success {
                status: StatusCode::NO_CONTENT,
                description: "The election is vacant, or the first candidate leads.",
                headers: &["Idempotent-Replay"],
                content: None,
                media: JSON,
                other: None,
            }],
        },
        Operation::Batch => Description {
            id: "batch",
            tag: "locks",
            summary: "Many operations in one request",
            description: "Does acquires, extends and releases, up to 1000 of them, each as if it had come alone. \
                          The whole request is checked before anything is done. Then the answer is 200, whatever \
                          came of the items. Items of one resource are done in their order; others at once, in no \
                          order. With an Idempotency-Key, which counts for each item on its resource, each \
                          resource may come once.",
            parameters: vec![key()],
            body: Some(RequestBody {
                schema: "Batch",
                required: true,
                examples: examples::batch(),
                longest: "1,048,576",
            }),
            successes: ok(
                "What came of each item.",
                &[],
                component("schemas", "Batched"),
                json!({ "batched": { "value": examples::batched() } }),
            ),
        },
        Operation::Events => Description {
            id: "events",
            tag: "locks",
            summary: "What happens to locks, as it happens",
            description: "Server-sent events: `event:` is the type, `id:` the cursor, `data:` one line of JSON. First comes \
                          `hello`; with `snapshot=1` the `state` of each lock and `synced`; then events, and at least every \
                          15 s a `bookmark` with the cursor. `missed` says that events are missing, `bye` that the \
                          replica ends the stream. Connect again with the last cursor as `since` or `Last-Event-ID`. \
                          With `Accept: application/json` it is a long poll that answers the events after `since`. An \
                          API key sees the events of the locks for which it has the right `events`.",
            parameters: of_events().into(),
            body: None,
            successes: vec![Success {
                status: StatusCode::OK,
                description: "The stream, which ends when one side ends it; or the events after a cursor.",
                headers: &[],
                content: Some(json!({
                    "schema": component("schemas", "Events"),
                    "examples": { "events": { "value": examples::events() }, "missed": { "value": examples::missed() } },
                })),
                media: JSON,
                other: Some((
                    EVENT_STREAM,
                    json!({
                        "schema": {
                            "type": "string",
                            "description": "Messages with `event`, `id` and `data`. The data of an event is an Event. The \
                                            data of `hello`, `state`, `synced`, `bookmark`, `missed` and `bye` has its \
                                            name as `type` too; that of `state` has the members of the public state.",
                        },
                        "examples": { "stream": { "value": examples::stream() } },
                    }),
                )),
            }],
        },
        Operation::History => Description {
            id: "history",
            tag: "locks",
            summary: "What has happened to a lock",
            description: "What Redis still has of the events of one lock, newest first. A page may be empty and not be the \
                          last: only a null cursor is the end. Redis records while somebody listens, and always with \
                          `events.record = \"always\"`.",
            parameters: of_history().into(),
            body: None,
            successes: ok(
                "A page.",
                &[],
                component("schemas", "History"),
                json!({ "history": { "value": examples::history() } }),
            ),
        },
        Operation::Health => Description {
            id: "health",
            tag: "health",
            summary: "The process answers; never asks Redis",
            description: "For a supervisor that restarts replicas that hang. A replica is healthy without Redis, \
                          because a restart would not mend Redis.",
            parameters: vec![],
            body: None,
            successes: ok(
                "Alive.",
                &[],
                component("schemas", "Health"),
                json!({ "ok": { "value": Health { status: Alive::Ok, version: env!("CARGO_PKG_VERSION") } } }),
            ),
        },
        Operation::Ready => Description {
            id: "ready",
            tag: "health",
            summary: "Whether to send requests to this replica",
            description: "Redis takes writes and may not evict locks, and the replica is not about to end.",
            parameters: vec![],
            body: None,
            successes: ok(
                "Ready.",
                &[],
                component("schemas", "Ready"),
                json!({ "ready": { "value": Ready { status: Readiness::Ready } } }),
            ),
        },
        Operation::OpenApi => Description {
            id: "openapi",
            tag: "interface",
            summary: "This document",
            description: "Describes the interface that exactly this version of the replica has.",
            parameters: vec![of_document()],
            body: None,
            successes: document(
                "The document.",
                JSON,
                json!({ "type": "object", "properties": { "openapi": { "type": "string" } }, "required": ["openapi"] }),
            ),
        },
        Operation::Docs => Description {
            id: "docs",
            tag: "interface",
            summary: "This document, as a page",
            description: "Shows the operations to a person, who may try them. The page loads nothing from elsewhere.",
            parameters: vec![of_document()],
            body: None,
            successes: document("The page.", "text/html", json!({ "type": "string" })),
        },
        Operation::DocsFile => Description {
            id: "docsFile",
            tag: "interface",
            summary: "A file of the page",
            description: "A script, a style sheet or a picture; large ones are always sent with \
                          `Content-Encoding: gzip`.",
            parameters: vec![of_document()],
            body: None,
            successes: document("The file.", "*/*", json!({ "type": "string" })),
        },
        Operation::Metrics => Description {
            id: "metrics",
            tag: "health",
            summary: "What the replica counts and measures",
            description: "For Prometheus: with `Accept: application/openmetrics-text` as OpenMetrics, otherwise in the text \
                          format. Only of this replica: ask each one. With `server.metrics_listen` it is at that address \
                          instead of here.",
            parameters: vec![],
            body: None,
            successes: vec![Success {
                status: StatusCode::OK,
                description: "The metrics.",
                headers: &[],
                content: Some(json!({ "schema": { "type": "string" } })),
                media: "text/plain",
                other: None,
            }],
        },
    }
}

fn ok(description: &'static str, headers: &'static [&'static str], schema: Value, examples: Value) -> Vec<Success> {
    let content = Some(json!({ "schema": schema, "examples": examples }));
    vec![Success { status: StatusCode::OK, description, headers, content, media: JSON, other: None }]
}

/// The answers with a file that a client may keep.
fn document(description: &'static str, media: &'static str, schema: Value) -> Vec<Success> {
    let headers: &[&str] = &["ETag", "Cache-Control"];
    let content = Some(json!({ "schema": schema }));
    vec![
        Success { status: StatusCode::OK, description, headers, content, media, other: None },
        Success {
            status: StatusCode::NOT_MODIFIED,
            description: "The client has it.",
            headers,
            content: None,
            media,
            other: None,
        },
    ]
}

fn limit(pinned: bool) -> Limit<&'static str> {
    Limit { resource: "deploys", limit: pinned.then_some(3), pinned }
}

fn queue() -> Queue<&'static str> {
    let (owner, waited_ms) = ("worker-9", 1_204);
    let waiter = Waiter { position: 1, owner, mode: Mode::Shared, permits: Some(1), waited_ms };
    Queue { resource: "deploys", waiting: 1, queue: vec![waiter] }
}

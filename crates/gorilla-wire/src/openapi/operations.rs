//! What the document says of each operation.

use http::StatusCode;
use serde_json::json;

use super::{
    component::component,
    description::{Description, JSON, RequestBody, Success, document, ok},
    examples::{self, breaking, broken, election, extended, free, held, leadership, lock, set},
    fleet,
    parameters::{of_document, of_events, of_history, of_leader, of_list, of_queue, of_release, of_state},
};
use crate::{
    Alive, Counted, EVENT_STREAM, Health, Limit, Mode, Operation, Page, Queue, Readiness, Ready, State, Waiter,
};

const LONGEST: &str = "16,384";
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
                          Only a null cursor is the end. A lock held all the while is on one page at least. With `sort` \
                          the replica looks at all locks, at most every 10 s, and the answer says how many there are.",
            parameters: of_list().into(),
            body: None,
            successes: ok(
                "A page.",
                &[],
                component("schemas", "Page"),
                json!({
                    "page": { "value": page(vec![held()], None, Some("0-8")) },
                    "within": { "value": page(vec![], Some("orders:"), None) },
                    "sorted": { "value": sorted() },
                    "last": { "value": page(vec![], None, None) },
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
            parameters: vec![of_queue()],
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
                          `hello`; with `snapshot=1` the `state` of each lock and `synced`, with `recent` the last \
                          events and `synced`; then events, and at least every \
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
        Operation::Stats => fleet::stats(),
        Operation::Replicas => fleet::replicas(),
        Operation::Contention => fleet::contention(),
        Operation::Redis => fleet::redis(),
        Operation::Me => fleet::me(),
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
        Operation::Page => Description {
            id: "page",
            tag: "interface",
            summary: "The locks, as a page",
            description: "Shows who holds what, who waits and since when, and breaks a lock whose holder is gone. The page \
                          is one document, always sent with `Content-Encoding: gzip`; it asks nobody but the replica that \
                          serves it, by the operations of this document.",
            parameters: vec![of_document()],
            body: None,
            successes: document("The page.", "text/html", json!({ "type": "string" })),
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

fn limit(pinned: bool) -> Limit<&'static str> {
    Limit { resource: "deploys", limit: pinned.then_some(3), pinned }
}

fn queue() -> Queue<&'static str> {
    let waiter = Waiter {
        position: 1,
        owner: "worker-9",
        mode: Mode::Shared,
        permits: Some(1),
        waited_ms: 1_204,
        since: Some("2026-11-28T03:12:05.910Z"),
        id: Some("01a207bc-4cb5-75c8-b04d-e6e049346457"),
        replica: Some("4f3a9c01d2e7"),
    };
    Queue { resource: "deploys", waiting: 1, queue: vec![waiter] }
}

fn page(locks: Vec<State>, within: Option<&str>, cursor: Option<&str>) -> Page {
    Page { locks, scope: within.map(|start| vec![start.into()]), cursor: cursor.map(String::from), counted: None }
}

fn sorted() -> Page {
    let counted = Counted { total: 412, counted_at: "2026-11-28T03:12:04.000Z".into(), progress: 1.0 };
    Page { counted: Some(counted), ..page(vec![held()], None, Some("s-1")) }
}

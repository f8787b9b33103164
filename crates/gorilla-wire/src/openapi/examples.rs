//! Examples of answers, as a replica gave them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    Batched, Broken,
    Code::{self, *},
    Control, Election, Error, Event, Events, Facts, History, ItemResult, Leader, Leadership, Lock, LockSet, Missed,
    Mode, Outcome, Problem, State, Tenure, Token,
};

const ID: &str = "01a207bc-4cb5-75c8-b04d-e6e049346456";
const OWNER: &str = "worker-7";
const FENCE: u64 = 1_795_426_110_645_374;
const GRANTED: &str = "2026-11-23T09:28:30.645Z";
const ENDS: &str = "2026-11-23T09:29:01.145Z";

/// A lock with a timeout and a time that is left, both in milliseconds.
pub fn lock(timeout: u64, ttl: u64) -> Lock {
    Lock {
        id: ID.into(),
        owner: OWNER.into(),
        resource: "stock".into(),
        token: Token::new("997f2fe4-d0cb-4d03-b066-beeea3b31eec"),
        timeout: Duration::from_millis(timeout),
        metadata: json!([]),
        created_at: GRANTED.into(),
        updated_at: GRANTED.into(),
        expire_at: ENDS.into(),
        fence: FENCE,
        ttl: Duration::from_millis(ttl),
        share: None,
        waited_ms: None,
        by: None,
    }
}

/// The same lock after an extend.
pub fn extended() -> Lock {
    Lock {
        token: Token::new("10eaf7d2-1902-4511-8f4a-0dee4b10f3f3"),
        updated_at: "2026-11-23T09:28:31.037Z".into(),
        expire_at: "2026-11-23T09:29:31.037Z".into(),
        ..lock(60_000, 60_000)
    }
}

/// Two locks of one set.
pub fn set() -> LockSet {
    let lock = |resource: &str, id: &str, token: &str, fence| Lock {
        id: id.into(),
        owner: "transfer-7".into(),
        resource: resource.into(),
        token: Token::new(token),
        fence,
        created_at: "2026-11-27T17:50:12.501Z".into(),
        updated_at: "2026-11-27T17:50:12.503Z".into(),
        expire_at: "2026-11-27T17:50:42.503Z".into(),
        ..lock(30_000, 30_000)
    };
    LockSet {
        locks: vec![
            lock(
                "account-7",
                "01a21be2-6a12-7d43-9be0-5a51a0b1f6f1",
                "5b8a4a3e-8f0e-4f0c-9d0c-5a2f6d1f6d55",
                1_795_801_812_502_113,
            ),
            lock(
                "account-3",
                "01a21be2-6a10-70f1-8d3b-1f0f2c1d7a90",
                "0d6f1f8a-53e1-4a9e-8c71-9d0a7f8e2b16",
                1_795_801_812_501_378,
            ),
        ],
        ttl: Duration::from_secs(30),
        waited_ms: 2,
    }
}

/// What everybody may know of the same lock.
pub fn held() -> State {
    let tenure = Tenure {
        id: ID.into(),
        owner: OWNER.into(),
        fence: FENCE,
        metadata: json!([]),
        created_at: GRANTED.into(),
        updated_at: GRANTED.into(),
        expire_at: ENDS.into(),
        ttl_ms: 30_260,
        renewals: Some(0),
        by: None,
    };
    State { resource: "stock".into(), held: true, tenure: Some(tenure), group: None, waiting: 0, breaking: false }
}

/// A lock that nobody holds.
pub fn free() -> State {
    State { resource: "free".into(), held: false, tenure: None, group: None, waiting: 0, breaking: false }
}

/// A lock that was broken.
pub fn broken() -> Broken {
    Broken {
        resource: "orders".into(),
        id: "01a207c4-8fe0-74dc-b92c-8aeaa12c4109".into(),
        owner: OWNER.into(),
        fence: 1_795_426_652_132_943,
        ttl_ms: None,
    }
}

/// A leadership with a timeout in milliseconds.
pub fn leadership(timeout: u64) -> Leadership {
    let metadata = json!([{ "url": "http://10.0.0.7:8080" }]);
    let lock = Lock { resource: "scheduler".into(), metadata, ..lock(timeout, timeout) };
    Leadership { term: lock.fence, lock }
}

/// What everybody may know of the election: of one with a leader, or of one without.
pub fn election(has_leader: bool) -> Election {
    let Leadership { lock, term } = leadership(30_000);
    let leader = Leader {
        id: lock.id,
        owner: lock.owner,
        term,
        metadata: lock.metadata,
        created_at: lock.created_at,
        updated_at: lock.updated_at,
        expire_at: lock.expire_at,
        ttl_ms: 21_480,
        by: None,
        breaking: false,
    };
    Election {
        resource: lock.resource,
        leader: has_leader.then_some(leader),
        term: has_leader.then_some(term),
        candidates: if has_leader { 2 } else { 0 },
        waited_ms: 0,
    }
}

/// Batches: the renewal of two locks whose tokens stay, and one item of each operation.
pub fn batch() -> Value {
    let token = lock(30_000, 30_000).token;
    json!({
        "heartbeat": { "value": {
            "operations": [
                { "op": "extend", "resource": "stock", "token": token, "timeout": 30, "rotate": false },
                { "op": "extend", "resource": "orders", "token": "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31", "timeout": 30, "rotate": false },
            ],
            "brief": true,
        } },
        "mixed": { "value": { "operations": [
            { "op": "acquire", "resource": "deploys", "owner": OWNER, "timeout": 30 },
            { "op": "extend", "resource": "stock", "token": token, "timeout": 60 },
            { "op": "release", "resource": "orders", "token": "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31" },
        ] } },
    })
}

/// What came of a batch: a lock was extended, another has gone.
pub fn batched() -> Batched {
    let item = |index, status, body| ItemResult { index, status, body: Some(body), replayed: false, retry_after: None };
    let missing = json!(error(LockNotFound));
    Batched { ok: 1, failed: 1, unknown: 0, results: vec![item(0, 200, json!(extended())), item(1, 404, missing)] }
}

/// Something that happened to the lock.
fn event(kind: &str, cursor: &str, at: &str) -> Event {
    Event {
        kind: kind.into(),
        cursor: Some(cursor.into()),
        resource: "stock".into(),
        owner: Some(OWNER.into()),
        fence: Some(FENCE),
        id: Some(ID.into()),
        at: at.into(),
        expire_at: None,
        ttl_ms: None,
        expired_at: None,
        held_ms: None,
        waited_ms: None,
        previous_fence: None,
        metadata: None,
        metadata_omitted: false,
        mode: None,
        permits: None,
        by: None,
        reason: None,
        cause: None,
        place: None,
        position: None,
        waiting: None,
        holder_fence: None,
    }
}

fn granted() -> Event {
    Event {
        expire_at: Some(ENDS.into()),
        waited_ms: Some(812),
        metadata: Some(json!([])),
        ..event("granted", "00005f0a7b21.1795426110645-0.0", GRANTED)
    }
}

fn released() -> Event {
    Event { held_ms: Some(10_391), ..event("released", "00005f0a7b21.1795426121036-0.0", "2026-11-23T09:28:41.036Z") }
}

/// The answer to a long poll.
pub fn events() -> Events {
    Events { events: vec![granted(), released()], cursor: "00005f0a7b21.1795426121036-0.0".into(), missed: None }
}

/// The answer to a long poll with a cursor that is too old.
pub fn missed() -> Events {
    Events { events: vec![], cursor: "00005f0a7b21.1795426121036-0.0".into(), missed: Some(Missed::Trimmed) }
}

/// What has happened to the lock.
pub fn history() -> History {
    let recorded_since = Some("2026-11-23T02:31:00.000Z".into());
    History { resource: "stock".into(), recorded_since, events: vec![released(), granted()], cursor: None }
}

/// The beginning of a stream.
pub fn stream() -> String {
    let hello = Control::Hello {
        replica: "c5f24f320520".into(),
        now: "2026-11-23T09:28:30.000Z".into(),
        resumed: false,
        recorded_since: Some("2026-11-23T02:31:00.000Z".into()),
        expiries: None,
    };
    let granted = granted();
    let cursor = granted.cursor.as_deref().unwrap_or_default();
    format!(
        "retry: 2000\n\nevent: hello\ndata: {}\n\nevent: granted\nid: {cursor}\ndata: {}\n\n",
        json!(hello),
        json!(granted)
    )
}

/// The same lock, which ends after a grace.
pub fn breaking() -> Broken {
    Broken { ttl_ms: Some(10_000), ..broken() }
}

/// An answer with each code, in both forms.
pub fn all() -> Map<String, Value> {
    let both = |&code: &Code| {
        let error = error(code);
        let shown = |value: Value| json!({ "summary": code.meaning(), "value": value });
        let own = (code.as_str().into(), shown(json!(error)));
        [own, (format!("{}_problem", code.as_str()), shown(json!(Problem::from(error))))]
    };
    Code::ALL.iter().flat_map(both).collect()
}

fn error(code: Code) -> Error {
    let (message, facts) = message_and_facts(code);
    let outcome = if matches!(code, InternalError | OutcomeUnknown) { Outcome::Unknown } else { Outcome::NotExecuted };
    Error { error_message: message.into(), code, outcome, facts }
}

/// The sentence and the facts of an answer with a code.
fn message_and_facts(code: Code) -> (&'static str, Facts) {
    let nothing = Facts::default;
    let about = |resource: &str| Facts { resource: Some(resource.into()), ..nothing() };
    let held = |ttl| Facts { owner: Some(OWNER.into()), fence: Some(FENCE), ttl_ms: Some(ttl), ..about("stock") };
    match code {
        InvalidRequest => (
            "timeout is 0.05, which is too short; it must be a number of seconds from 0.1 to 86400, such as 30, \
             0.5 or \"30\"; there is no endless lock.",
            Facts { field: Some("timeout".into()), ..nothing() },
        ),
        TokenRequired => (
            "The token of the lock is missing: send it in the header Lock-Token or as the last part of the path.",
            nothing(),
        ),
        CrossOrigin => (
            "A browser sent this request for a page of another site, and such a page may not change locks; send \
             the request from a page of this host, or from a program that is not a browser.",
            nothing(),
        ),
        NotFound => ("There is nothing at this path; locks are at /api/v1/locks/{resource}.", nothing()),
        EventsOff => ("The settings of this server switch events off (events.record = \"off\").", nothing()),
        LockNotFound => ("Nobody holds a lock on \"free\".", about("free")),
        TokenNotFound => (
            "The token is not that of a lock on \"stock\": it was superseded by an extend or given back, or was never valid.",
            about("stock"),
        ),
        MethodNotAllowed => ("This path does not have this method; the header Allow lists those it has.", nothing()),
        BodyTimeout => ("The body did not arrive within 10 s.", nothing()),
        LockHeld => (
            "\"stock\" is held by \"worker-7\" for another 30.368 s; try again later.",
            Facts { waiting: Some(0), ..held(30_368) },
        ),
        LockReserved => (
            "\"stock\" is free, but requests that came before wait for it (2); send \"wait\" to join them, or \
             try again later.",
            Facts { waiting: Some(2), ..about("stock") },
        ),
        LimitMismatch => (
            "\"deploys\" has the limit 3, and this request names the limit 5; name the same limit, or none if it is pinned.",
            Facts { limit: Some(3), ..about("deploys") },
        ),
        FenceRequired => (
            "\"deploys\" has 3 holders; name the fence of the holder to end.",
            Facts {
                mode: Some(Mode::Shared),
                limit: Some(3),
                used: Some(3),
                holder_count: Some(3),
                ..about("deploys")
            },
        ),
        TooManyHolders => (
            "10000 clients hold \"deploys\", as many as may; try again later.",
            Facts { holder_count: Some(10_000), ..about("deploys") },
        ),
        WaitTimeout => (
            "Not granted within 0.5 s: \"stock\" is held by \"worker-7\" for another 28.427 s, and this request \
             was number 1 in the queue; sent again within 10 s with the same Idempotency-Key, it keeps its \
             place.",
            Facts { position: Some(1), waiting: Some(1), ..held(28_427) },
        ),
        Replaced => {
            ("A later request with the same \"replaces\" waits for \"stock\" in place of this one.", about("stock"))
        }
        TokenMismatch => ("\"stock\" is held by \"worker-7\" for another 59.94 s, under another token.", held(59_940)),
        LockBreaking => (
            "Somebody breaks the lock on \"stock\": it can't be extended, and ends in 8.211 s.",
            Facts { ttl_ms: Some(8_211), ..about("stock") },
        ),
        TimeoutShorter => (
            "timeout is 5 s, which is less than the 30.156 s that remain; an extend never shortens a lease.",
            Facts { ttl_ms: Some(30_156), ..nothing() },
        ),
        FenceChanged => (
            "The grant with that fence has ended; \"stock\" is held by \"worker-7\" for another 59.511 s.",
            held(59_511),
        ),
        LockGone => (
            "The first request with this Idempotency-Key succeeded, but its lease on \"idem\" has ended since; \
             use a new key to ask again.",
            about("idem"),
        ),
        TooManyListeners => (
            "This replica has 1000 listeners, as many as may listen; try again later, or at another replica.",
            nothing(),
        ),
        QuotaExceeded => (
            "The API key \"orders-prod\" asks more often than its quota per_second allows; try again in 0.1 s.",
            Facts { quota: Some("per_second".into()), ..nothing() },
        ),
        AuthenticationRequired => {
            ("This replica demands an API key; send it in the header Authorization, after \"Bearer \".", nothing())
        }
        InvalidKey => ("The API key is not valid: no key of this replica is like it.", nothing()),
        InsufficientScope => (
            "The API key \"orders-prod\" does not allow \"break\" on \"stock\".",
            Facts { verb: Some("break".into()), ..about("stock") },
        ),
        BodyTooLarge => ("The body is too long; it must be at most 16384 bytes.", nothing()),
        UnsupportedMediaType => ("Content-Type is \"text/plain\"; it must be application/json.", nothing()),
        HostNotAllowed => (
            "This replica does not serve the host \"evil.test\"; name that host in the setting \
             server.allowed_hosts, or use localhost on the machine that serves.",
            nothing(),
        ),
        IdempotencyKeyReused => {
            ("This Idempotency-Key came before with another request on the same resource; use a new key.", nothing())
        }
        QueueFull => (
            "10000 requests wait for \"stock\", as many as may; try again later.",
            Facts { waiting: Some(10_000), ..about("stock") },
        ),
        InternalError => (
            "Something is wrong inside of Gorilla or Redis; the log of this replica has the cause under this \
             X-Request-Id.",
            nothing(),
        ),
        RedisUnavailable => ("Redis can't be reached (Redis did not answer in time); nothing was done.", nothing()),
        RedisRefused => ("Redis can't serve this now (OOM); nothing was done.", nothing()),
        Overloaded => ("More requests come than this replica can serve now; nothing was done.", nothing()),
        Recovering => (
            "Redis may have lost who holds \"orders\", so nobody is granted it for another 41.5 s; send \"wait\" \
             to be granted it in turn, or try again then.",
            Facts { recovering_ms: Some(41_500), waiting: Some(0), ..about("orders") },
        ),
        NotReplicated => (
            "Too few replicas of Redis confirmed the grant in time, so it was undone: a failover could have lost it.",
            nothing(),
        ),
        AuditUnavailable => ("The audit file of this replica can't be written; nothing was done.", nothing()),
        Draining => (
            "This replica is about to end; send the request again, with the same Idempotency-Key if it waited, \
             which keeps its place for 10 s.",
            nothing(),
        ),
        NotReady => ("Redis refuses writes: OOM.", nothing()),
        OutcomeUnknown => (
            "The request was sent to Redis and was not confirmed, so it may have been done or not. Send it \
             again, with the same Idempotency-Key if it has one; an acquire that nobody asks for again is \
             undone.",
            nothing(),
        ),
    }
}

//! Each operation as a request.

use std::time::Duration;

use gorilla_wire::{
    Acquire, AcquireSet, BATCH, Batch, Break, ELECTIONS, Extend, Item, LIMITS, LOCKS, Op, Pin, Release,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Token,
    kind::Kind,
    wire::{ANSWER_TIMEOUT, Request},
};

/// The characters that need no escape in a URL.
pub const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An Idempotency-Key: the same for all attempts of one request.
pub fn new_key() -> String {
    Uuid::new_v4().to_string()
}

pub fn acquire<'a>(resource: &str, body: &Acquire<Value>, key: &'a str) -> Request<'a> {
    Request {
        method: Method::POST,
        path: path(resource),
        token: None,
        key: Some(key),
        body: Some(json!(body)),
        timeout: ANSWER_TIMEOUT,
    }
}

pub fn acquire_set<'a>(body: &AcquireSet<Value>, key: &'a str) -> Request<'a> {
    Request {
        method: Method::POST,
        path: LOCKS.into(),
        token: None,
        key: Some(key),
        body: Some(json!(body)),
        timeout: ANSWER_TIMEOUT,
    }
}

/// Extends a lease, and keeps the token: the same request can be sent again with any key.
pub fn keep<'a>(resource: &str, token: &'a Token, ttl: Duration, key: &'a str) -> Request<'a> {
    let body =
        Extend::<Value> { timeout: Some(ttl.as_secs_f64().into()), rotate: Some(false.into()), ..Extend::default() };
    Request { body: Some(json!(body)), ..extend(resource, token, ttl, Change::Lease, key) }
}

/// What an extend changes beside the end of the lease.
#[derive(Clone, Debug)]
pub enum Change {
    /// Nothing else.
    Lease,
    /// Converts the lock to this kind.
    Kind(Kind),
    /// Replaces the metadata.
    Metadata(Value),
}

/// Extends a lease, and changes the lock.
pub fn extend<'a>(resource: &str, token: &'a Token, ttl: Duration, change: Change, key: &'a str) -> Request<'a> {
    let mut body = Extend::<Value> { timeout: Some(ttl.as_secs_f64().into()), ..Extend::default() };
    match change {
        Change::Lease => {}
        Change::Kind(kind) => {
            let (mode, limit, permits) = kind.fields();
            (body.mode, body.limit, body.permits) = (Some(mode), limit, permits);
        }
        Change::Metadata(metadata) => body.metadata = Some(metadata),
    }
    Request {
        method: Method::PUT,
        path: path(resource),
        token: Some(token),
        key: Some(key),
        body: Some(json!(body)),
        timeout: ANSWER_TIMEOUT,
    }
}

/// Extends many leases: of each lock its name, its token and the lease. The tokens stay.
pub fn extend_all<'a>(locks: impl Iterator<Item = (&'a str, &'a Token, Duration)>) -> Request<'static> {
    let items = locks.map(|(resource, token, ttl)| Item {
        op: Op::Extend,
        resource,
        token: Some(token),
        body: Extend::<Value> {
            timeout: Some(ttl.as_secs_f64().into()),
            rotate: Some(false.into()),
            ..Extend::default()
        },
    });
    batch(items, None)
}

/// Releases many locks: of each its name and its token.
pub fn release_all<'a, 'k>(locks: impl Iterator<Item = (&'a str, &'a Token)>, key: &'k str) -> Request<'k> {
    let item = |(resource, token)| Item { op: Op::Release, resource, token: Some(token), body: Release {} };
    batch(locks.map(item), Some(key))
}

fn batch<'k>(items: impl Iterator<Item = impl Serialize>, key: Option<&'k str>) -> Request<'k> {
    let operations = Some(json!(items.collect::<Vec<_>>()));
    Request {
        method: Method::POST,
        path: BATCH.into(),
        token: None,
        key,
        body: Some(json!(Batch::<Value> { operations, brief: None })),
        timeout: ANSWER_TIMEOUT,
    }
}

pub fn release<'a>(resource: &str, token: &'a Token, key: &'a str) -> Request<'a> {
    Request {
        method: Method::DELETE,
        path: path(resource),
        token: Some(token),
        key: Some(key),
        body: None,
        timeout: ANSWER_TIMEOUT,
    }
}

/// Releases a lock so much later.
pub fn release_later<'a>(resource: &str, token: &'a Token, after: Duration, key: &'a str) -> Request<'a> {
    let path = format!("{}?after={:.3}", path(resource), after.as_secs_f64());
    Request { path, ..release(resource, token, key) }
}

pub fn break_lock<'a>(resource: &str, fence: Option<u64>, grace: Duration, reason: &str, key: &'a str) -> Request<'a> {
    let grace = (!grace.is_zero()).then(|| grace.as_secs_f64().into());
    Request {
        method: Method::POST,
        path: format!("{}/break", path(resource)),
        token: None,
        key: Some(key),
        body: Some(json!(Break::<Value> { fence: Some(fence.into()), reason: Some(reason.into()), grace })),
        timeout: ANSWER_TIMEOUT,
    }
}

pub fn status<'a>(resource: &str, token: &'a Token) -> Request<'a> {
    get(path(resource), Some(token))
}

pub fn state(resource: &str) -> Request<'static> {
    get(path(resource), None)
}

pub fn queue(resource: &str) -> Request<'static> {
    get(format!("{}/queue", path(resource)), None)
}

pub fn limit(resource: &str) -> Request<'static> {
    get(path_of_limit(resource), None)
}

pub fn pin_limit(resource: &str, limit: u32) -> Request<'static> {
    let body = Some(json!(Pin::<Value> { limit: Some(limit.into()) }));
    Request { method: Method::PUT, body, ..get(path_of_limit(resource), None) }
}

pub fn unpin_limit(resource: &str) -> Request<'static> {
    Request { method: Method::DELETE, ..get(path_of_limit(resource), None) }
}

pub fn page(prefix: &str, owner: Option<&str>, cursor: Option<&str>) -> Request<'static> {
    let [prefix, cursor] = [prefix, cursor.unwrap_or_default()].map(|text| utf8_percent_encode(text, PLAIN));
    let owner = owner.map(|owner| format!("&owner={}", utf8_percent_encode(owner, PLAIN))).unwrap_or_default();
    get(format!("{LOCKS}?limit=1000&prefix={prefix}{owner}&cursor={cursor}"), None)
}

/// Looks at an election.
pub fn leader(resource: &str) -> Request<'static> {
    get(path_of_election(resource), None)
}

/// Looks at an election, and waits so long for other news than this term, or than that nobody leads.
pub fn leader_after(resource: &str, known: Option<u64>, wait: Duration) -> Request<'static> {
    let known = known.map_or_else(|| "none".into(), |term| term.to_string());
    let path = format!("{}?after={known}&wait={:.3}", path_of_election(resource), wait.as_secs_f64());
    Request { timeout: wait + ANSWER_TIMEOUT, ..get(path, None) }
}

pub fn history(resource: &str, before: Option<&str>) -> Request<'static> {
    let before = before.map(|before| format!("&before={}", utf8_percent_encode(before, PLAIN))).unwrap_or_default();
    get(format!("{}/events?limit=500{before}", path(resource)), None)
}

fn get(path: String, token: Option<&Token>) -> Request<'_> {
    Request { method: Method::GET, path, token, key: None, body: None, timeout: ANSWER_TIMEOUT }
}

pub fn path(resource: &str) -> String {
    format!("{LOCKS}/{}", utf8_percent_encode(resource, PLAIN))
}

fn path_of_election(resource: &str) -> String {
    format!("{ELECTIONS}/{}", utf8_percent_encode(resource, PLAIN))
}

fn path_of_limit(resource: &str) -> String {
    format!("{LIMITS}/{}", utf8_percent_encode(resource, PLAIN))
}

//! Each operation as a request.

use std::time::Duration;

use gorilla_wire::{Acquire, AcquireSet, BATCH, Batch, Break, Extend, Item, LIMITS, LOCKS, Op, Pin, Release};
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
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
    Request { body: Some(json!(body)), ..extend(resource, token, ttl, None, key) }
}

/// Extends a lease and, with a kind, converts the lock.
pub fn extend<'a>(resource: &str, token: &'a Token, ttl: Duration, kind: Option<Kind>, key: &'a str) -> Request<'a> {
    let (mode, limit, permits) = kind.map_or_else(Default::default, |kind| {
        let (mode, limit, permits) = kind.fields();
        (Some(mode), limit, permits)
    });
    let timeout = Some(ttl.as_secs_f64().into());
    Request {
        method: Method::PUT,
        path: path(resource),
        token: Some(token),
        key: Some(key),
        body: Some(json!(Extend::<Value> { timeout, mode, limit, permits, ..Extend::default() })),
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

fn get(path: String, token: Option<&Token>) -> Request<'_> {
    Request { method: Method::GET, path, token, key: None, body: None, timeout: ANSWER_TIMEOUT }
}

fn path(resource: &str) -> String {
    format!("{LOCKS}/{}", utf8_percent_encode(resource, PLAIN))
}

fn path_of_limit(resource: &str) -> String {
    format!("{LIMITS}/{}", utf8_percent_encode(resource, PLAIN))
}

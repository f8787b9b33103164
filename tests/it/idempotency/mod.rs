//! A request with an Idempotency-Key acts once, however often and wherever it arrives.

mod again;
mod copies;
mod gone;
mod other_requests;
mod window;

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Answer, Api, eventually};

/// The header of a request that may come again.
fn key(key: &str) -> [(&'static str, &str); 1] {
    [("Idempotency-Key", key)]
}

/// Asserts an answer that is given for the first time; its body.
#[track_caller]
fn first(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("idempotent-replay")), (200, None), "{answer:?}");
    answer.json()
}

/// Asserts an answer that was given before; its body.
#[track_caller]
fn replay(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("idempotent-replay")), (200, Some("true")), "{answer:?}");
    answer.json()
}

#[track_caller]
fn gone(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (409, "lock_gone"), "{answer:?}");
    assert_eq!((&answer.json()["outcome"], answer.header("idempotent-replay")), (&"not_executed".into(), None));
}

/// Asserts that two answers are the same lock, but for the time that has passed.
#[track_caller]
fn same_lock(mut replayed: Value, mut lock: Value) {
    let (left, before) = (replayed["ttlMs"].take(), lock["ttlMs"].take());
    assert!(left.as_u64() <= before.as_u64() && left.as_u64() > Some(0), "{left} ms of {before} ms");
    assert_eq!(replayed, lock);
}

/// Waits until nobody holds a lock.
async fn free(api: &Api, resource: &str) {
    eventually("the lock is free", Duration::from_secs(5), || async { api.state(resource).await["held"] == false })
        .await;
}

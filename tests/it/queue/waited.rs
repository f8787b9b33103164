//! The answer to a request that had to queue tells how long it waited, and no other answer does.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{granted, queued, waiter};
use crate::harness::{Api, Redis, Replica, lock_path, name, token};

/// In milliseconds.
const PAUSE: u64 = 200;

fn waited(lock: &Value) -> u64 {
    lock["waitedMs"].as_u64().unwrap_or_else(|| panic!("{lock} has no waitedMs"))
}

#[tokio::test]
async fn a_waiter_is_told_how_long_it_waited_whether_a_message_or_a_handover_wakes_it() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let [here, there] = [Replica::on(&redis).await, Replica::on(&redis).await];
    for releases_at in [&here, &there] {
        let resource = name("waited");
        let held = here.api.granted(&resource, "first", 30).await;
        let sent = Instant::now();
        let waiter = queued(&redis, &here.api, &resource, "second", 20.0, None).await;
        let in_queue = Instant::now();
        tokio::time::sleep(Duration::from_millis(PAUSE)).await;
        let (least, released) = (in_queue.elapsed().as_millis() as u64, Instant::now());
        assert_eq!(releases_at.api.release(&resource, token(&held)).await.status, 204);
        let lock = granted(waiter).await;
        assert!((least..=sent.elapsed().as_millis() as u64).contains(&waited(&lock)), "{lock}, at least {least} ms");
        // So the lease counts from then: it ends no later than the client thinks that counts from `sent` and `waitedMs`.
        let left = here.api.status(&resource, token(&lock)).await.json()["ttlMs"].as_u64().expect("a number");
        let counted = Duration::from_millis(waited(&lock) + 30_000).saturating_sub(sent.elapsed()).as_millis() as u64;
        assert!(counted <= left, "{counted} ms are counted and {left} ms are left, {:?} after", released.elapsed());
    }
}

#[tokio::test]
async fn who_waits_until_a_lease_ends_is_told_so_too() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("waited-end"));
    api.granted(&resource, "first", 0.4).await;
    let lock = granted(queued(redis, &api, &resource, "second", 20.0, None).await).await;
    assert!((1..=20_000).contains(&waited(&lock)), "{lock}");
}

#[tokio::test]
async fn an_acquire_that_is_granted_at_once_says_nothing_of_a_wait() {
    let api = Replica::shared().await;
    for wait in [json!(null), json!(0), json!(20)] {
        let body = json!({ "owner": "me", "timeout": 30, "wait": wait });
        let answer = api.acquire_with(&name("at-once"), &body, &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.text.contains("waited"), "{answer:?}");
    }
}

/// Asks again under the key of a waiter, with a wait; the lock and whether it is a replay.
async fn again(api: &Api, resource: &str) -> (Value, bool) {
    let body = json!({ "owner": "second", "timeout": 30, "wait": 20.0 }).to_string();
    let answer = api.send(Method::POST, &lock_path(resource), &[("Idempotency-Key", "k")], Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.json(), answer.header("idempotent-replay").is_some())
}

#[tokio::test]
async fn a_copy_is_told_how_long_it_waited_itself() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("waited-copy"));
    let held = api.granted(&resource, "first", 30).await;
    let first = queued(redis, &api, &resource, "second", 20.0, Some("k")).await;
    tokio::time::sleep(Duration::from_millis(PAUSE)).await;
    let copy = waiter(&api, &resource, "second", 20.0, Some("k"));
    tokio::time::sleep(Duration::from_millis(PAUSE)).await;
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    let (first, copy) = (granted(first).await, granted(copy).await);
    assert_eq!(first["token"], copy["token"]);
    assert!(waited(&first) >= waited(&copy) + PAUSE / 2, "{first} {copy}");
    // And a copy that comes when all is over has not waited at all.
    let (late, is_replay) = again(&api, &resource).await;
    assert!(is_replay && late.get("waitedMs").is_none(), "{late}");
}

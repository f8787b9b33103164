//! Fences, expiry, and the clock that both come from.

use std::time::Duration;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::harness::{Redis, Replica, eventually, name, token};

fn fence(lock: &Value) -> u64 {
    lock["fence"].as_u64().expect("a fence is a whole number")
}

/// A time of an answer as milliseconds since 1970. Fails unless it is RFC 3339 in UTC with milliseconds.
fn milliseconds(lock: &Value, field: &str) -> i64 {
    let text = lock[field].as_str().expect("a time is text");
    assert_eq!(text.len(), "2026-01-02T03:04:05.678Z".len(), "{text}");
    assert!(text.ends_with('Z') && text.as_bytes()[19] == b'.' && text.as_bytes()[10] == b'T', "{text}");
    DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp_millis()
}

#[tokio::test]
async fn fences_rise_from_grant_to_grant_however_the_last_one_ended() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("fences"));
    let mut last = 0;
    for end in ["release", "expiry", "break", "deletion by hand", "deletion of every key", "release", "release"] {
        let timeout = if end == "expiry" { 0.1 } else { 30.0 };
        let lock = api.granted(&resource, "me", timeout).await;
        assert!(fence(&lock) > last, "{} after {last}, before {end}", fence(&lock));
        assert!(fence(&lock) < 1 << 53);
        last = fence(&lock);
        let extended = api.extend(&resource, token(&lock), timeout).await.json();
        assert_eq!(fence(&extended), last);
        let (lock_key, fence_key) = (format!("gorilla:{{{resource}}}:lock"), format!("gorilla:{{{resource}}}:fence"));
        match end {
            "release" => assert_eq!(api.release(&resource, token(&extended)).await.status, 204),
            "break" => assert_eq!(api.break_lock(&resource, &json!({}), &[]).await.status, 200),
            "deletion by hand" => assert_eq!(redis.cli(&["DEL", &lock_key]), "1"),
            "deletion of every key" => assert_eq!(redis.cli(&["DEL", &lock_key, &fence_key]), "2"),
            _ => {}
        }
        eventually("the lock is free", Duration::from_secs(5), || async {
            api.state(&resource).await["held"] == false
        })
        .await;
    }
}

#[tokio::test]
async fn a_fence_rises_by_one_where_the_clock_is_behind_the_last_one() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("clock-back"));
    // Above 2^52, so that a number that went through a shorter format would show.
    let ahead = 9_007_199_254_740_001_u64;
    redis.cli(&["SET", &format!("gorilla:{{{resource}}}:fence"), &ahead.to_string()]);
    for rise in 1..=3 {
        let lock = api.granted(&resource, "me", 30).await;
        assert_eq!(fence(&lock), ahead + rise);
        api.release(&resource, token(&lock)).await;
    }
}

#[tokio::test]
async fn times_come_from_the_clock_of_redis() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("clock"));
    // A fence is Redis's clock in microseconds, read once by the script: every other clock would differ now and then.
    for _ in 0..20 {
        let lock = api.granted(&resource, "me", 30).await;
        let created = milliseconds(&lock, "createdAt");
        assert_eq!(created, fence(&lock) as i64 / 1000);
        assert_eq!(milliseconds(&lock, "updatedAt"), created);
        assert_eq!(milliseconds(&lock, "expireAt"), created + 30_000);
        api.release(&resource, token(&lock)).await;
    }
    let lock = api.granted(&resource, "me", 30).await;
    let extended = api.extend(&resource, token(&lock), 60).await.json();
    let key = format!("gorilla:{{{resource}}}:lock");
    let stored = |field: &str| redis.cli(&["HGET", &key, field]).parse::<i64>().expect("a number");
    assert_eq!(milliseconds(&extended, "createdAt"), stored("created"));
    assert_eq!(milliseconds(&extended, "updatedAt"), stored("updated"));
    assert_eq!(milliseconds(&extended, "expireAt"), stored("updated") + 60_000);
    assert_eq!(redis.cli(&["PEXPIRETIME", &key]), milliseconds(&extended, "expireAt").to_string());
    let status = api.status(&resource, token(&extended)).await.json();
    for field in ["createdAt", "updatedAt", "expireAt"] {
        assert_eq!(status[field], extended[field], "{field}");
    }
}

#[tokio::test]
async fn ttl_ms_is_what_redis_has_left() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("ttl"));
    let lock = api.granted(&resource, "me", 30).await;
    let left = || redis.cli(&["PTTL", &format!("gorilla:{{{resource}}}:lock")]).parse::<u64>().expect("a number");
    let before = left();
    let answers = [
        api.status(&resource, token(&lock)).await.json(),
        api.state(&resource).await,
        api.acquire(&resource, "other", 30).await.json(),
        api.extend(&resource, token(&lock), 1).await.json(),
    ];
    let after = left();
    for answer in answers {
        let ttl = answer["ttlMs"].as_u64().expect("a number");
        assert!((after..=before).contains(&ttl), "{after} to {before}: {answer}");
    }
}

#[tokio::test]
async fn expiry_frees_the_lock_and_kills_its_token() {
    let (api, resource) = (Replica::shared().await, name("expiry"));
    let lock = api.granted(&resource, "me", 0.2).await;
    let next = std::sync::OnceLock::new();
    eventually("the next client gets the lock", Duration::from_secs(5), || async {
        let answer = api.acquire(&resource, "next", 30).await;
        assert!([200, 409].contains(&answer.status), "{answer:?}");
        answer.status == 200 && next.set(answer.json()).is_ok()
    })
    .await;
    let next = next.get().expect("a lock");
    // Not before the first lease was over.
    assert!(milliseconds(next, "createdAt") >= milliseconds(&lock, "expireAt"), "{next} after {lock}");
    assert_eq!(api.status(&resource, token(&lock)).await.status, 404);
}

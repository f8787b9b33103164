//! What a replay answers when the lock has gone on without it.

use std::time::Duration;

use serde_json::json;

use super::{first, free, gone, key, replay, same_lock};
use crate::harness::{Api, Replica, eventually, name, token};

/// Ends a lock in one of the ways in which locks end.
async fn end(api: &Api, resource: &str, token: &str, how: &str) {
    match how {
        "release" => assert_eq!(api.release(resource, token).await.status, 204),
        "break" => assert_eq!(api.break_lock(resource, &json!({}), &[]).await.status, 200),
        _ => {}
    }
    free(api, resource).await;
}

#[tokio::test]
async fn a_replayed_acquire_whose_lock_has_ended_is_never_a_second_lock() {
    let api = Replica::shared().await;
    for how in ["release", "break", "expiry"] {
        let resource = name("gone");
        let body = json!({ "owner": "me", "timeout": if how == "expiry" { 0.2 } else { 30.0 } });
        let lock = first(&api.acquire_with(&resource, &body, &key("acquire")).await);
        end(&api, &resource, token(&lock), how).await;
        for _ in 0..2 {
            gone(&api.acquire_with(&resource, &body, &key("acquire")).await);
            assert_eq!(api.state(&resource).await["held"], false, "{how}");
        }
        // The replay doesn't say who holds the lock now, though a new acquire would be told.
        let next = api.granted(&resource, "next", 30).await;
        gone(&api.acquire_with(&resource, &body, &key("acquire")).await);
        assert_eq!(api.acquire_with(&resource, &body, &key("another")).await.code(), "lock_held");
        assert_eq!(api.status(&resource, token(&next)).await.status, 200);
    }
}

#[tokio::test]
async fn a_replayed_extend_whose_lock_has_ended_is_a_409() {
    let api = Replica::shared().await;
    for how in ["release", "break", "expiry"] {
        let resource = name("extend-gone");
        let lock = api.granted(&resource, "me", 0.2).await;
        let timeout = if how == "expiry" { 0.3 } else { 30.0 };
        let extended = first(&api.extend_with(&resource, token(&lock), timeout, &key("extend")).await);
        end(&api, &resource, token(&extended), how).await;
        gone(&api.extend_with(&resource, token(&lock), timeout, &key("extend")).await);
        let next = api.granted(&resource, "next", 30).await;
        gone(&api.extend_with(&resource, token(&lock), timeout, &key("extend")).await);
        assert_eq!(api.status(&resource, token(&next)).await.json()["expireAt"], next["expireAt"]);
    }
}

#[tokio::test]
async fn a_replayed_release_or_break_never_ends_the_next_lock() {
    let (api, resource) = (Replica::shared().await, name("next"));
    let lock = api.granted(&resource, "me", 30).await;
    assert_eq!(api.release_with(&resource, token(&lock), &key("release")).await.status, 204);
    let next = api.granted(&resource, "next", 30).await;
    assert_eq!(api.release_with(&resource, token(&lock), &key("release")).await.status, 204);
    assert_eq!(api.status(&resource, token(&next)).await.status, 200);

    let broken = first(&api.break_lock(&resource, &json!({}), &key("break")).await);
    let last = api.granted(&resource, "last", 30).await;
    assert_eq!(replay(&api.break_lock(&resource, &json!({}), &key("break")).await), broken);
    assert_eq!(broken["fence"], next["fence"]);
    assert_eq!(api.status(&resource, token(&last)).await.status, 200);
}

#[tokio::test]
async fn an_acquire_is_answered_again_within_its_own_lease_though_the_lock_was_extended() {
    let (api, resource) = (Replica::shared().await, name("extended"));
    let body = json!({ "owner": "me", "timeout": 30 });
    let lock = first(&api.acquire_with(&resource, &body, &key("acquire")).await);
    let extended = api.extend(&resource, token(&lock), 60).await.json();
    // The first answer comes again. Its token is superseded, as the client that extended the lease knows.
    same_lock(replay(&api.acquire_with(&resource, &body, &key("acquire")).await), lock.clone());
    assert_eq!(api.status(&resource, token(&lock)).await.status, 404);
    assert_eq!(api.status(&resource, token(&extended)).await.status, 200);
}

#[tokio::test]
async fn an_acquire_is_gone_when_its_own_lease_is_over_though_the_lock_was_extended() {
    let (api, resource) = (Replica::shared().await, name("own-lease"));
    let body = json!({ "owner": "me", "timeout": 1 });
    let lock = first(&api.acquire_with(&resource, &body, &key("acquire")).await);
    let extended = api.extend(&resource, token(&lock), 60).await.json();
    let seen_replay = std::sync::atomic::AtomicBool::new(false);
    eventually("the first lease is over", Duration::from_secs(5), || async {
        let answer = api.acquire_with(&resource, &body, &key("acquire")).await;
        match answer.status {
            200 => seen_replay.store(true, std::sync::atomic::Ordering::Relaxed),
            _ => gone(&answer),
        }
        answer.status == 409
    })
    .await;
    assert!(seen_replay.into_inner(), "the replay was gone before its lease was over");
    assert_eq!(api.status(&resource, token(&extended)).await.status, 200);
}

#[tokio::test]
async fn an_extend_is_answered_again_though_the_lock_was_extended_further() {
    let (api, resource) = (Replica::shared().await, name("further"));
    let lock = api.granted(&resource, "me", 20).await;
    let second = first(&api.extend_with(&resource, token(&lock), 30, &key("extend")).await);
    let third = api.extend(&resource, token(&second), 60).await.json();
    same_lock(replay(&api.extend_with(&resource, token(&lock), 30, &key("extend")).await), second);
    assert_eq!(api.status(&resource, token(&third)).await.status, 200);
}

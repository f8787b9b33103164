//! Redis does what it is asked, and its reply is lost.

use std::time::Duration;

use serde_json::json;

use super::{Scene, assert_unknown, in_time, is_freed, is_held, recovers};
use crate::harness::{Mode, Replica, eventually, name, token};

#[tokio::test]
async fn an_acquire_whose_reply_is_lost_is_undone() {
    let scene = Scene::new().await;
    let (api, resource) = (scene.api(), name("undone"));

    scene.link.set(Mode::SwallowReplies);
    assert_unknown(&in_time(api.acquire(&resource, "me", 60)).await);
    assert!(is_held(scene.redis, &resource), "Redis did execute it");

    scene.heal();
    recovers(api).await;
    is_freed(scene.redis, &resource).await;
    assert_eq!(Replica::start().await.api.acquire(&resource, "other", 60).await.status, 200);
}

#[tokio::test]
async fn an_acquire_that_never_reached_redis_is_unknown_too_and_leaves_nothing() {
    let scene = Scene::new().await;
    let (api, resource) = (scene.api(), name("unsent"));

    scene.link.set(Mode::SwallowRequests);
    assert_unknown(&in_time(api.acquire(&resource, "me", 60)).await);
    scene.heal();
    recovers(api).await;
    assert!(!is_held(scene.redis, &resource));
}

#[tokio::test]
async fn after_its_cancellation_a_retried_acquire_is_decided_anew() {
    let scene = Scene::new().await;
    let (api, resource) = (scene.api(), name("anew"));
    let (body, key) = (json!({ "owner": "me", "timeout": 60 }), [("Idempotency-Key", "k")]);

    scene.link.set(Mode::SwallowReplies);
    assert_unknown(&in_time(api.acquire_with(&resource, &body, &key)).await);
    let first = scene.redis.cli(&["HGET", &format!("gorilla:{{{resource}}}:lock"), "id"]);
    scene.heal();
    recovers(api).await;
    is_freed(scene.redis, &resource).await;

    let second = api.acquire_with(&resource, &body, &key).await;
    assert_eq!((second.status, second.header("idempotent-replay")), (200, None), "{second:?}");
    assert_ne!(second.json()["id"], *first);
    let again = api.acquire_with(&resource, &body, &key).await;
    assert_eq!((again.status, again.header("idempotent-replay")), (200, Some("true")), "{again:?}");
    assert_eq!(again.json()["id"], second.json()["id"]);
}

#[tokio::test]
async fn a_lock_that_a_retry_was_told_of_is_not_cancelled() {
    let scene = Scene::new().await;
    let (resource, body, key) = (name("told"), json!({ "owner": "me", "timeout": 60 }), [("Idempotency-Key", "k")]);
    let other = Replica::start().await;

    scene.link.set(Mode::SwallowReplies);
    let first = tokio::spawn({
        let (api, resource, body) = (scene.api().clone(), resource.clone(), body.clone());
        async move { api.acquire_with(&resource, &body, &key).await }
    });
    eventually("Redis has executed it", Duration::from_millis(500), || async { is_held(scene.redis, &resource) }).await;
    // The client has given up on the first replica and asks another.
    let replayed = other.api.acquire_with(&resource, &body, &key).await;
    assert_eq!((replayed.status, replayed.header("idempotent-replay")), (200, Some("true")), "{replayed:?}");

    assert_unknown(&first.await.expect("the first is answered"));
    scene.heal();
    let outcome = |outcome: &str| scene.replica.log().contains(&format!("\"outcome\":\"{outcome}\""));
    eventually("the cancellation came", super::RECOVERED, || async { outcome("kept") }).await;
    assert!(!outcome("released"));
    assert_eq!(other.api.status(&resource, token(&replayed.json())).await.status, 200);
}

#[tokio::test]
async fn an_extend_whose_reply_is_lost_is_answered_to_its_retry() {
    let scene = Scene::new().await;
    let (api, resource, key) = (scene.api(), name("extend"), [("Idempotency-Key", "k")]);
    let lock = api.granted(&resource, "me", 30).await;

    scene.link.set(Mode::SwallowReplies);
    assert_unknown(&in_time(api.extend_with(&resource, token(&lock), 60, &key)).await);
    scene.heal();
    recovers(api).await;

    let retried = api.extend_with(&resource, token(&lock), 60, &key).await;
    assert_eq!((retried.status, retried.header("idempotent-replay")), (200, Some("true")), "{retried:?}");
    let extended = retried.json();
    assert_ne!(extended["token"], lock["token"]);
    assert_eq!((&extended["id"], &extended["fence"]), (&lock["id"], &lock["fence"]));
    assert_eq!(api.status(&resource, token(&extended)).await.status, 200);
}

#[tokio::test]
async fn a_release_whose_reply_is_lost_is_answered_to_its_retry() {
    let scene = Scene::new().await;
    let (api, resource, key) = (scene.api(), name("release"), [("Idempotency-Key", "k")]);
    let lock = api.granted(&resource, "me", 30).await;

    scene.link.set(Mode::SwallowReplies);
    assert_unknown(&in_time(api.release_with(&resource, token(&lock), &key)).await);
    assert!(!is_held(scene.redis, &resource), "Redis did execute it");
    scene.heal();
    recovers(api).await;

    // Somebody else has the lock by now, and the retry does not take it away.
    let next = api.granted(&resource, "other", 30).await;
    let retried = api.release_with(&resource, token(&lock), &key).await;
    assert_eq!((retried.status, retried.header("idempotent-replay")), (204, Some("true")), "{retried:?}");
    assert_eq!(api.status(&resource, token(&next)).await.status, 200);
}

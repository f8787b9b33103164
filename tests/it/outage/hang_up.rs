//! The client goes away before its answer comes.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{Scene, is_freed, is_held};
use crate::harness::{Mode, eventually, name};

#[tokio::test]
async fn a_client_that_hangs_up_in_mid_acquire_leaves_no_lock() {
    let scene = Scene::new().await;
    let resource = name("hang-up");
    scene.link.set(Mode::DelayReplies(Duration::from_millis(400)));

    let client = tokio::spawn({
        let (api, resource) = (scene.api().clone(), resource.clone());
        async move { api.acquire(&resource, "me", 60).await }
    });
    eventually("Redis has executed it", Duration::from_millis(500), || async { is_held(scene.redis, &resource) }).await;
    client.abort();
    is_freed(scene.redis, &resource).await;
}

#[tokio::test]
async fn an_idempotency_key_can_be_used_again_after_a_hang_up() {
    let scene = Scene::new().await;
    let (api, resource) = (scene.api(), name("hang-up-key"));
    let (body, key) = (json!({ "owner": "me", "timeout": 60 }), [("Idempotency-Key", "k")]);
    scene.link.set(Mode::DelayReplies(Duration::from_millis(300)));

    let gave_up = timeout(Duration::from_millis(150), api.acquire_with(&resource, &body, &key)).await;
    assert!(gave_up.is_err(), "{gave_up:?}");
    is_freed(scene.redis, &resource).await;
    scene.link.set(Mode::Pass);
    let retried = api.acquire_with(&resource, &body, &key).await;
    assert_eq!((retried.status, retried.header("idempotent-replay")), (200, None), "{retried:?}");
}

#[tokio::test]
async fn thirty_hang_ups_at_random_moments_leave_no_lock() {
    let scene = Scene::new().await;
    // An answer that is already on its way to the client can't be called back, so all hang up before Redis's reply.
    scene.link.set(Mode::DelayReplies(Duration::from_millis(250)));
    let attempts = join_all((0..30).map(|_| async {
        let (api, resource) = (scene.api(), name("hang-ups"));
        let patience = Duration::from_micros(fastrand::u64(0..150_000));
        let answer = timeout(patience, api.acquire(&resource, "me", 60)).await;
        assert!(answer.is_err(), "{answer:?}");
        resource
    }))
    .await;
    for resource in &attempts {
        is_freed(scene.redis, resource).await;
    }
    // Not even an acquire that was still on its way when the client left may take the lock later.
    scene.link.set(Mode::Pass);
    super::recovers(scene.api()).await;
    let cancelled = scene.replica.log().matches("\"outcome\":\"released\"").count();
    assert!(cancelled > 0, "some had been executed");
    assert!(attempts.iter().all(|resource| !is_held(scene.redis, resource)));
}

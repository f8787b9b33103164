//! Redis is away altogether.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    ANSWERED, FREED, Scene, assert_not_executed, assert_not_ready, assert_unknown, in_time, is_freed, is_held, recovers,
};
use crate::{
    harness::{Mode, Redis, Replica, eventually, name, token},
    load::Load,
};

#[tokio::test]
async fn a_cut_link_is_200_then_503_then_200() {
    let scene = Scene::new().await;
    let (api, resource) = (scene.api(), name("cut"));
    let lock = api.granted(&resource, "me", 60).await;

    scene.link.sever();
    eventually("calls are refused at once", ANSWERED, || async {
        in_time(api.acquire(&resource, "me", 1)).await.status == 503
    })
    .await;
    assert_not_executed(&api.acquire(&resource, "me", 1).await, "redis_unavailable");
    assert_not_ready(api, "").await;
    assert_eq!(api.get("/_health").await.status, 200);

    scene.link.set(Mode::Pass);
    recovers(api).await;
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);
}

#[tokio::test]
async fn a_connection_that_is_cut_while_it_is_set_up_is_tried_again_at_once() {
    let scene = Scene::new().await;
    for _ in 0..5 {
        scene.link.set(Mode::SwallowReplies);
        scene.link.cut();
        // By now the replica waits somewhere in the middle of its first exchange with Redis.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(10..100))).await;
        scene.heal();
        let ready = || async { scene.api().get("/_ready").await.status == 200 };
        eventually("no time-out had to pass", Duration::from_millis(800), ready).await;
    }
}

#[tokio::test]
async fn a_cut_connection_answers_what_was_in_flight_at_once() {
    let scene = Scene::new().await;
    let resource = name("in-flight");
    scene.link.set(Mode::DelayReplies(Duration::from_secs(5)));
    let waiting = tokio::spawn({
        let (api, resource) = (scene.api().clone(), resource.clone());
        async move { api.acquire(&resource, "me", 60).await }
    });
    eventually("Redis has executed it", FREED, || async { is_held(scene.redis, &resource) }).await;

    scene.heal();
    let cut = Instant::now();
    assert_unknown(&waiting.await.expect("it is answered"));
    assert!(cut.elapsed() < Duration::from_millis(500), "answered {:?} after the cut", cut.elapsed());
    is_freed(scene.redis, &resource).await;
}

#[tokio::test]
async fn without_redis_a_replica_starts_answers_and_comes_to_life_when_redis_does() {
    let mut redis = Redis::start(&[]);
    redis.stop();
    let replica = Replica::unready(&redis.url(), &[]);
    let (api, resource, no_token) = (&replica.api, name("absent"), uuid::Uuid::new_v4().to_string());

    assert_not_ready(api, "").await;
    assert_eq!(api.get("/_health").await.status, 200);
    eventually("the reason is known", FREED, || async { api.get("/_ready").await.text.contains("refused") }).await;
    for answer in [
        in_time(api.acquire(&resource, "me", 30)).await,
        in_time(api.extend(&resource, &no_token, 30)).await,
        in_time(api.release(&resource, &no_token)).await,
        in_time(api.status(&resource, &no_token)).await,
        in_time(api.break_lock(&resource, &json!({}), &[])).await,
        in_time(api.get(&crate::harness::lock_path(&resource))).await,
        in_time(api.get("/api/v1/locks")).await,
    ] {
        assert_not_executed(&answer, "redis_unavailable");
    }

    redis.run();
    recovers(api).await;
}

#[tokio::test]
async fn redis_may_be_killed_and_restarted_under_load() {
    let mut redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let kept = name("kept");
    let lock = replica.api.granted(&kept, "me", 60).await;

    let load = Load::start(&[&replica.api], 8);
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.run();
    recovers(&replica.api).await;
    // The clients go on for a moment on the new connection.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let tally = load.stop(&replica.api).await;
    assert!(tally.refused > 0, "the outage was felt");
    assert!(tally.slowest < ANSWERED, "an answer took {:?}", tally.slowest);
    assert_eq!(replica.api.status(&kept, token(&lock)).await.status, 200, "an append-only file keeps locks");
}

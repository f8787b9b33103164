//! Redis keeps its connections open and says nothing.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{ANSWERED, assert_lost_because, assert_not_executed, assert_not_ready, assert_unknown, is_freed, recovers};
use crate::harness::{Answer, Redis, Replica, eventually, name, token};

/// An acquire that was sent while Redis hung.
struct Asked {
    resource: String,
    /// Since Redis began to hang.
    after: Duration,
    took: Duration,
    answer: Answer,
}

#[tokio::test]
async fn a_hung_redis_is_noticed_under_steady_traffic() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let api = &replica.api;
    api.granted(&name("before"), "me", 30).await;

    redis.pause();
    let paused = Instant::now();
    let mut asking = JoinSet::new();
    // Requests go on coming whether those before are answered or not, so that something is written all the time.
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while paused.elapsed() < Duration::from_millis(2500) {
        tick.tick().await;
        let api = api.clone();
        asking.spawn(async move {
            let (resource, after, begun) = (name("hung"), paused.elapsed(), Instant::now());
            let answer = api.acquire(&resource, "me", 60).await;
            Asked { resource, after, took: begun.elapsed(), answer }
        });
    }
    let asked = asking.join_all().await;
    assert_not_ready(api, "").await;
    assert_lost_because(&replica, "Redis stopped answering").await;
    redis.resume();
    recovers(api).await;

    let (unknown, refused): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.answer.status == 504);
    assert!(!unknown.is_empty() && !refused.is_empty());
    for Asked { answer, took, after, .. } in &asked {
        assert!(*took < ANSWERED, "took {took:?} when sent {after:?} after Redis hung");
        if answer.status == 504 { assert_unknown(answer) } else { assert_not_executed(answer, "redis_unavailable") }
    }
    // The first command that has no reply within the command timeout shows that the connection is dead.
    for Asked { answer, took, after, .. } in asked.iter().filter(|asked| asked.after > ANSWERED) {
        assert_eq!(answer.status, 503, "sent {after:?} after Redis hung");
        assert!(*took < Duration::from_millis(500), "refused after {took:?}");
    }
    for Asked { resource, .. } in unknown {
        is_freed(&redis, resource).await;
    }
}

#[tokio::test]
async fn a_lock_outlives_a_short_hang() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("blink"));
    let lock = api.granted(&resource, "me", 60).await;

    redis.pause();
    let waiting = tokio::spawn({
        let (api, resource, token) = (api.clone(), resource.clone(), token(&lock).to_string());
        async move { api.extend(&resource, &token, 120).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.resume();
    let extended = waiting.await.expect("the extend is answered");
    assert_eq!(extended.status, 200, "{extended:?}");
    eventually("the replica never lost its connection", Duration::from_millis(500), || async {
        api.get("/_ready").await.status == 200
    })
    .await;
    assert_eq!(replica.log().matches("connected to Redis").count(), 1, "{}", replica.log());
}

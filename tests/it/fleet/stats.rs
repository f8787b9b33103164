//! What replicas have counted, added up.

use std::time::Duration;

use serde_json::json;

use super::{becomes, look};
use crate::{
    harness::{Redis, Replica, eventually, name, token},
    queue::queued,
};

#[tokio::test]
async fn what_two_replicas_count_is_added_up_and_both_tell_the_same() {
    let redis = Redis::start(&[]);
    let [one, other] = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("held");
    let held = one.api.granted(&resource, "holder", 60).await;
    for _ in 0..4 {
        one.api.granted(&name("more"), "me", 60).await;
        assert_eq!(other.api.acquire(&resource, "late", 60).await.code(), "lock_held");
    }
    other.api.extend(&resource, token(&held), 60).await;
    for replica in [&one, &other] {
        let stats = becomes(&replica.api, "/api/v1/stats?range=5m", "all is told", |stats| {
            stats["total"]["grants"] == 5 && stats["total"]["extends"] == 1
        })
        .await;
        assert_eq!((&stats["replicas"], &stats["total"]["refused"]), (&json!(2), &json!(4)), "{stats}");
        assert_eq!((&stats["rangeSeconds"], &stats["stepSeconds"]), (&json!(300), &json!(5)));
        // Each series has a point for each step, and the last grants are in one of them.
        let series = stats["series"].as_object().expect("series");
        for (name, points) in series.iter().filter(|(name, _)| *name != "from") {
            assert_eq!(points.as_array().expect("points").len(), 60, "{name}");
        }
        let rates = series["grantsPerSecond"].as_array().expect("points");
        assert!(rates.iter().any(|rate| rate.as_f64().is_some_and(|rate| rate > 0.0)), "{rates:?}");
        assert_eq!(stats["total"]["latency"]["count"], 10, "{stats}");
    }
}

#[tokio::test]
async fn waits_and_holds_are_measured_whichever_replica_sees_their_end() {
    let redis = Redis::start(&[]);
    let [one, other] = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("waited");
    let held = one.api.granted(&resource, "holder", 60).await;
    let waiter = queued(&redis, &other.api, &resource, "next", 30.0, None).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(one.api.release(&resource, token(&held)).await.status, 204);
    let granted = waiter.await.expect("an answer").json();
    let took = granted["waitedMs"].as_f64().expect("it has waited");
    let stats = becomes(&other.api, "/api/v1/stats", "the wait is told", |stats| {
        stats["total"]["wait"]["count"] == 1 && stats["total"]["hold"]["count"] == 1
    })
    .await;
    let told = stats["total"]["wait"]["p99Ms"].as_f64().expect("a wait");
    // In steps of an eighth; what the replica itself takes comes to it.
    assert!((took * 0.85..took * 1.3 + 200.0).contains(&told), "{told} is not near {took}");
    let held = stats["total"]["hold"]["p50Ms"].as_f64().expect("a hold");
    assert!((250.0..30_000.0).contains(&held), "{held}");
    // The metrics of the replica that saw the release have it too.
    let metrics = one.api.get("/metrics").await.text;
    assert!(metrics.contains("\ngorilla_hold_duration_seconds_count 1\n"), "{metrics}");
}

#[tokio::test]
async fn held_locks_are_counted_while_somebody_asks() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    for _ in 0..7 {
        replica.api.granted(&name("counted"), "me", 60).await;
    }
    // Keys that are no locks.
    redis.cli(&["SET", "gorilla:{other}:fence", "1"]);
    redis.cli(&["SET", "other:{x}:lock", "1"]);
    let stats = becomes(&replica.api, "/api/v1/stats", "they are counted", |stats| !stats["held"].is_null()).await;
    assert_eq!(stats["held"]["count"], 7, "{stats}");
    // The next pulse has the count, and so the series has it.
    becomes(&replica.api, "/api/v1/stats", "the series has it", |stats| {
        stats["series"]["held"].as_array().expect("points").contains(&json!(7))
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_is_not_to_tell_of_itself_writes_nothing_and_answers() {
    let redis = Redis::start(&[]);
    let silent = Replica::with(&redis.url(), &[("GORILLA__EVENTS__PULSE", "false")]).await;
    silent.api.granted(&name("silent"), "me", 60).await;
    let replica = Replica::on(&redis).await;
    becomes(&silent.api, "/api/v1/stats", "the other is told", |stats| stats["replicas"] == 1).await;
    assert_eq!(look(&silent.api, "/api/v1/me").await["features"]["pulse"], false);
    let seen = look(&silent.api, "/api/v1/replicas").await;
    assert_eq!(seen["replicas"][0]["id"], look(&replica.api, "/api/v1/me").await["replica"]);
}

#[tokio::test]
async fn a_replica_that_may_not_write_the_stream_says_so_once_and_goes_on() {
    let redis = Redis::start(&[]);
    redis.cli(&["ACL", "SETUSER", "limited", "on", ">none", "~*", "&*", "+@all", "-xadd"]);
    let url = redis.url().replace("redis://", "redis://limited:none@");
    let replica = Replica::with(&url, &[]).await;
    let said = || replica.log().matches("does not let this replica tell others").count();
    eventually("it says so", Duration::from_secs(20), || async { said() == 1 }).await;
    replica.api.granted(&name("limited"), "me", 60).await;
    // More than one pulse later it has said nothing more.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(said(), 1);
    assert_eq!(look(&replica.api, "/api/v1/stats").await["replicas"], 0);
}

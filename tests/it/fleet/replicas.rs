//! Which replicas are there.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::{TOLD, becomes, look};
use crate::{
    harness::{Cluster, Redis, Replica, eventually, name},
    queue::queued,
};

fn ids(replicas: &Value) -> Vec<String> {
    let all = replicas["replicas"].as_array().expect("replicas");
    all.iter().map(|replica| replica["id"].as_str().expect("an id").to_string()).collect()
}

async fn id(replica: &Replica) -> String {
    look(&replica.api, "/api/v1/me").await["replica"].as_str().expect("an id").to_string()
}

#[tokio::test]
async fn a_replica_that_is_killed_disappears_within_15_s_and_one_that_ends_at_once() {
    let redis = Redis::start(&[]);
    let draining = [("GORILLA__SERVER__DRAIN_DELAY", "8s"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "9s")];
    let (stays, killed) = (Replica::on(&redis).await, Replica::on(&redis).await);
    let ends = Replica::with(&redis.url(), &draining).await;
    let [stays_id, killed_id, ends_id] = [id(&stays).await, id(&killed).await, id(&ends).await];
    let seen = becomes(&stays.api, "/api/v1/replicas", "all are there", |replicas| ids(replicas).len() == 3).await;
    assert_eq!(seen["answeredBy"], stays_id);
    for replica in seen["replicas"].as_array().expect("replicas") {
        assert_eq!((&replica["state"], &replica["version"]), (&"ready".into(), &env!("CARGO_PKG_VERSION").into()));
    }
    ends.process.signal(Signal::TERM);
    let state = |replicas: &Value, id: &str| {
        let all = replicas["replicas"].as_array().expect("replicas").clone();
        all.into_iter().find(|replica| replica["id"] == id).map(|replica| replica["state"].clone())
    };
    becomes(&stays.api, "/api/v1/replicas", "it drains", |all| state(all, &ends_id) == Some("draining".into())).await;
    drop(killed);
    let begun = Instant::now();
    eventually("it is gone", TOLD, || async { !ids(&look(&stays.api, "/api/v1/replicas").await).contains(&killed_id) })
        .await;
    // 15 s, and what the answer may be old.
    assert!(begun.elapsed() < Duration::from_secs(18), "{:?}", begun.elapsed());
    let left = becomes(&stays.api, "/api/v1/replicas", "the other is gone", |all| ids(all).len() == 1).await;
    assert_eq!(ids(&left), [stays_id]);
}

#[tokio::test]
async fn a_queue_names_the_replica_place_and_time_of_each_waiter() {
    let redis = Redis::start(&[]);
    let [one, other] = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("queue");
    one.api.granted(&resource, "holder", 60).await;
    let first = queued(&redis, &one.api, &resource, "first", 50.0, None).await;
    let second = queued(&redis, &other.api, &resource, "second", 50.0, None).await;
    let path = format!("/api/v1/locks/{resource}/queue");
    let queue = look(&one.api, &path).await;
    let waiters = queue["queue"].as_array().expect("waiters");
    for (waiter, replica) in waiters.iter().zip([&one, &other]) {
        assert_eq!(waiter["replica"], id(replica).await, "{queue}");
    }
    let one_of = look(&one.api, &format!("{path}?limit=1")).await;
    assert_eq!((&one_of["waiting"], one_of["queue"].as_array().map(Vec::len)), (&2.into(), Some(1)));
    let since = |at: usize| waiters[at]["since"].as_str().expect("a time").to_string();
    assert!(since(0) < since(1));
    // Who is granted the lock has the id of its place.
    let place = waiters[0]["id"].clone();
    one.api.break_lock(&resource, &serde_json::json!({}), &[]).await;
    assert_eq!(first.await.expect("an answer").json()["id"], place);
    becomes(&other.api, "/api/v1/replicas", "the waiter is told", |all| {
        all["replicas"].as_array().expect("replicas").iter().filter(|replica| replica["waiters"] == 1).count() == 1
    })
    .await;
    drop(second);
}

#[tokio::test]
async fn in_a_cluster_all_replicas_tell_of_themselves_at_one_place() {
    let cluster = Cluster::start().await;
    let [one, other] = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    for _ in 0..6 {
        one.api.granted(&name("cluster"), "me", 60).await;
    }
    let stats = becomes(&other.api, "/api/v1/stats", "both are there", |stats| {
        stats["replicas"] == 2 && stats["total"]["grants"] == 6 && stats["held"]["count"] == 6
    })
    .await;
    assert_eq!(stats["waiting"], 0);
    let redis = look(&other.api, "/api/v1/redis").await;
    assert_eq!(redis["topology"], "cluster");
    let nodes = redis["nodes"].as_array().expect("nodes");
    assert_eq!(nodes.len(), 3, "{redis}");
    assert!(nodes.iter().all(|node| node["info"]["role"] == "master" && node["address"].is_string()), "{redis}");
}

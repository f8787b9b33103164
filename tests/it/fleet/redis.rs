//! What Redis tells of itself.

use serde_json::json;

use super::look;
use crate::harness::{Redis, Replica, Sentinel, eventually};

#[tokio::test]
async fn redis_tells_its_version_memory_and_policy() {
    let redis = Redis::start(&["--maxmemory", "100mb", "--appendonly", "yes"]);
    let replica = Replica::with(&redis.url(), &[("GORILLA__REDIS__FAILOVER_GRACE", "25h")]).await;
    let told = look(&replica.api, "/api/v1/redis").await;
    assert_eq!((&told["topology"], &told["failoverGraceMs"]), (&json!("standalone"), &json!(90_000_000)), "{told}");
    let node = &told["nodes"][0];
    assert_eq!(node["address"], format!("127.0.0.1:{}", redis.port));
    let info = &node["info"];
    let version = redis.cli(&["INFO", "server"]);
    assert!(version.contains(info["version"].as_str().expect("a version")), "{told}");
    assert_eq!(
        (&info["evictionPolicy"], &info["aof"], &info["aofOk"]),
        (&json!("noeviction"), &json!(true), &json!(true))
    );
    assert_eq!(info["memoryLimitBytes"], 104_857_600);
    assert!(info["memoryPercent"].as_f64().is_some_and(|percent| percent > 0.0 && percent < 100.0), "{told}");
}

#[tokio::test]
async fn a_user_that_may_not_ask_sees_why() {
    let redis = Redis::start(&[]);
    redis.cli(&["ACL", "SETUSER", "limited", "on", ">none", "~*", "&*", "+@all", "-info"]);
    let replica = Replica::with(&redis.url().replace("redis://", "redis://limited:none@"), &[]).await;
    let node = look(&replica.api, "/api/v1/redis").await["nodes"][0].clone();
    assert_eq!(node["info"], json!(null));
    assert!(node["problem"].as_str().is_some_and(|problem| problem.contains("NOPERM")), "{node}");
}

#[tokio::test]
async fn without_redis_the_answer_is_503() {
    let mut redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    redis.stop();
    for path in ["stats", "replicas", "contention", "redis", "locks?sort=name"] {
        let path = format!("/api/v1/{path}");
        eventually("it is refused", super::TOLD, || async { replica.api.get(&path).await.status == 503 }).await;
    }
    assert_eq!(replica.api.get("/api/v1/me").await.status, 200);
}

#[tokio::test]
async fn behind_sentinel_the_master_and_its_replicas_are_told() {
    let sentinel = Sentinel::start().await;
    let replica = Replica::with(&sentinel.url(), &[]).await;
    let told = look(&replica.api, "/api/v1/redis").await;
    assert_eq!(told["topology"], "sentinel");
    let nodes = told["nodes"].as_array().expect("nodes");
    assert_eq!(nodes.len(), 1, "{told}");
    assert_eq!(nodes[0]["address"], format!("127.0.0.1:{}", sentinel.master()));
    let replicas = nodes[0]["info"]["replicas"].as_array().expect("replicas");
    assert_eq!(replicas.len(), 2, "{told}");
    assert!(replicas.iter().all(|replica| replica["state"] == "online"), "{told}");
}

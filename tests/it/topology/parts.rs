//! One master of a Cluster is out of order, and the others are not.

use crate::harness::{Cluster, Redis, Replica, name};

/// A resource of each of the masters.
fn resources(cluster: &Cluster) -> Vec<String> {
    let of = |node: &Redis| {
        let mut names = std::iter::repeat_with(|| name("part"));
        names.find(|name| cluster.master_of(&format!("gorilla:{{{name}}}:lock")).port == node.port)
    };
    cluster.nodes.iter().filter_map(of).collect()
}

/// Waits until the last look of a replica at Redis holds no more.
async fn forgotten() {
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

#[tokio::test]
async fn a_master_that_refuses_writes_concerns_its_own_slots_only() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let resources = resources(&cluster);
    let set =
        |node: &Redis, lacks: &str| assert_eq!(node.cli(&["CONFIG", "SET", "min-replicas-to-write", lacks]), "OK");
    set(&cluster.nodes[0], "1");
    for (index, resource) in resources.iter().enumerate() {
        let answer = replica.api.acquire(resource, "me", 30).await;
        match index {
            0 => assert_eq!((answer.status, answer.code().as_str()), (503, "redis_refused"), "{answer:?}"),
            _ => assert_eq!(answer.status, 200, "{answer:?}"),
        }
        // A load balancer must not keep clients from the other slots. It asks often, so each check says the same.
        for _ in 0..5 {
            assert_eq!(replica.api.get("/_ready").await.status, 200);
        }
    }
    for node in &cluster.nodes[1..] {
        set(node, "1");
    }
    forgotten().await;
    assert_eq!(replica.api.get("/_ready").await.status, 503);
    for node in &cluster.nodes {
        set(node, "0");
    }
    forgotten().await;
    assert_eq!(replica.api.get("/_ready").await.status, 200);
    replica.api.granted(&resources[0], "me", 30).await;
}

#[tokio::test]
async fn a_master_that_may_evict_locks_makes_a_replica_unready_whichever_it_is() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    for node in &cluster.nodes {
        assert_eq!(node.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]), "OK");
        forgotten().await;
        for _ in 0..5 {
            assert!(replica.api.get("/_ready").await.text.contains("allkeys-lru"));
        }
        // Nor is a connection made to it.
        let late = Replica::unready(&cluster.url(), &[]);
        crate::harness::eventually("the reason is known", std::time::Duration::from_secs(2), || async {
            late.api.get("/_ready").await.text.contains("allkeys-lru")
        })
        .await;
        assert_eq!(late.api.acquire(&name("evict"), "me", 30).await.code(), "redis_unavailable");
        assert_eq!(node.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]), "OK");
        forgotten().await;
        assert_eq!(replica.api.get("/_ready").await.status, 200);
    }
}

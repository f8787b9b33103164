//! A part of the set-up is missing, though enough of it is there.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{
    failover::{HEALED, heals},
    harness::{Cluster, ELECTION, Replica, Sentinel, eventually, name},
};

/// From the start of a replica until it is ready, if the first node that it asks costs a time-out.
const STARTED: Duration = Duration::from_secs(3);

async fn starts(url: &str) -> Replica {
    let begun = Instant::now();
    let replica = Replica::with(url, &[]).await;
    assert!(begun.elapsed() < STARTED, "it took {:?}", begun.elapsed());
    replica
}

#[tokio::test]
async fn the_first_sentinel_may_be_down_at_the_start_and_at_a_failover() {
    let mut sentinel = Sentinel::start().await;
    sentinel.stop_sentinel(0);
    starts_and_follows_a_failover(sentinel).await;
}

#[tokio::test]
async fn the_first_sentinel_may_hang_at_the_start_and_at_a_failover() {
    let sentinel = Sentinel::start().await;
    sentinel.signal_sentinel(0, Signal::STOP);
    starts_and_follows_a_failover(sentinel).await;
}

async fn starts_and_follows_a_failover(mut sentinel: Sentinel) {
    let replica = starts(&sentinel.url()).await;
    let old = sentinel.master();
    sentinel.nodes[0].stop();
    let promoted = sentinel.promoted(old).await;
    heals(&replica.api, promoted).await;
}

#[tokio::test]
async fn a_sentinel_that_knows_no_master_does_not_keep_a_replica_from_asking_the_others() {
    let sentinel = Sentinel::start().await;
    sentinel.forget_master(0);
    starts(&sentinel.url()).await;
}

#[tokio::test]
async fn a_node_of_the_cluster_that_the_url_names_may_be_down_or_hang_when_a_replica_starts() {
    for hangs in [false, true] {
        let mut cluster = Cluster::with_replicas().await;
        let url = cluster.url_naming(&[cluster.nodes[0].port, cluster.nodes[1].port]);
        let masters =
            |cluster: &Cluster, from: usize| cluster.nodes[from..].iter().filter(|node| node.is_master()).count();
        if hangs {
            cluster.nodes[0].pause();
        } else {
            cluster.nodes[0].stop();
        }
        eventually("its replica takes over", ELECTION, || async { masters(&cluster, 1) == 3 }).await;
        let replica = starts(&url).await;
        for _ in 0..9 {
            replica.api.granted(&name("named"), "me", 30).await;
        }
    }
}

#[tokio::test]
async fn a_cluster_that_has_lost_the_master_of_some_slots_serves_nobody_until_it_is_back() {
    // Without a replica that takes over, Redis's default is that the whole Cluster stops: CLUSTERDOWN.
    let mut cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let resources: Vec<_> = (0..9).map(|_| name("lost")).collect();
    for resource in &resources {
        replica.api.granted(resource, "me", 60).await;
    }
    cluster.nodes[2].stop();
    let refused = |answer: &crate::harness::Answer| match answer.status {
        503 => assert_eq!(answer.json()["outcome"], "not_executed", "{answer:?}"),
        504 => assert_eq!(answer.json()["outcome"], "unknown", "{answer:?}"),
        _ => assert!([200, 409].contains(&answer.status), "{answer:?}"),
    };
    eventually("all resources are refused", Duration::from_secs(10), || async {
        let mut all = true;
        for resource in &resources {
            let answer = replica.api.acquire(resource, "other", 30).await;
            refused(&answer);
            all &= answer.status == 503;
        }
        all && replica.api.get("/_ready").await.status == 503
    })
    .await;

    // Also where the Cluster would go on with the slots that it has: a replica connects to all masters or to none.
    for node in &cluster.nodes[..2] {
        assert_eq!(node.cli(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]), "OK");
    }
    let partial =
        |cluster: &Cluster| cluster.nodes[..2].iter().all(|node| node.cli(&["CLUSTER", "INFO"]).contains("state:ok"));
    eventually("the Cluster goes on with a part", Duration::from_secs(10), || async { partial(&cluster) }).await;
    for resource in &resources {
        let answer = replica.api.acquire(resource, "other", 30).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "redis_unavailable"), "{answer:?}");
    }

    cluster.nodes[2].run();
    let state =
        |cluster: &Cluster| cluster.nodes.iter().all(|node| node.cli(&["CLUSTER", "INFO"]).contains("state:ok"));
    eventually("the Cluster is well", Duration::from_secs(20), || async { state(&cluster) }).await;
    heals(&replica.api, Instant::now()).await;
    eventually("each slot is served", HEALED, || async {
        let mut held = 0;
        for resource in &resources {
            held += usize::from(replica.api.acquire(resource, "other", 30).await.status == 409);
        }
        held == resources.len()
    })
    .await;
}

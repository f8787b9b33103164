//! A new master replaces a master whose last grants it may lack.

use std::time::Instant;

use super::{BUSY, GRACE, SETTINGS, assert_recovering, begun, over, replica};
use crate::harness::{Cluster, ELECTION, Proxy, Redis, Replica, Sentinel, eventually, name, token};

/// A master whose last grant has not reached its replica is killed, and the replica promoted. Returns when the lease of
/// that grant ends at the latest, and when the lock was granted again.
async fn lost_grant(settings: &[(&str, &str)]) -> (Instant, Instant) {
    let mut master = Redis::start(&[]);
    let replication = Proxy::to(&master).await;
    let follower = Redis::following(&master, replication.port()).await;
    let link = Proxy::to(&master).await;
    let replica = Replica::with(&link.url(), settings).await;
    over(&replica.api, Instant::now()).await;
    let resource = name("lost");
    replication.sever();
    replica.api.granted(&resource, "first", 4).await;
    let ends = Instant::now() + GRACE;
    master.stop();
    follower.cli(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(follower.cli(&["EXISTS", &format!("gorilla:{{{resource}}}:lock")]), "0", "it was lost");
    link.lead_to_redis(&follower);
    link.cut();
    eventually("it is granted again", 3 * (GRACE + BUSY), || async {
        replica.api.acquire(&resource, "second", 4).await.status == 200
    })
    .await;
    (ends, Instant::now())
}

#[tokio::test]
async fn without_the_grace_a_grant_that_was_lost_overlaps_with_the_next() {
    // `docs/internals/limits.md` says so: "A failover may lose a grant".
    let (ends, again) = lost_grant(&[]).await;
    assert!(again < ends, "two holders at once");
}

#[tokio::test]
async fn with_the_grace_the_next_is_granted_after_the_lease_that_was_lost() {
    let (ends, again) = lost_grant(&SETTINGS).await;
    assert!(again >= ends, "{:?} too early", ends - again);
}

#[tokio::test]
async fn after_a_failover_by_sentinel_grants_wait_and_the_lock_that_survived_is_extended() {
    // A failover has to be over before the lease is.
    const LONGER: [(&str, &str); 2] =
        [("GORILLA__REDIS__FAILOVER_GRACE", "8s"), ("GORILLA__LIMITS__MAX_TIMEOUT", "8s")];
    let mut sentinel = Sentinel::start().await;
    let url = sentinel.url();
    let replicas = [Replica::with(&url, &LONGER).await, Replica::with(&url, &LONGER).await];
    let (old, resource) = (sentinel.master(), name("kept"));
    eventually("grants are made", 4 * GRACE, || async {
        replicas[0].api.acquire(&resource, "me", 0.2).await.status == 200
    })
    .await;
    eventually("it is free", GRACE, || async { replicas[0].api.state(&resource).await["held"] == false }).await;
    let lock = replicas[0].api.granted(&resource, "holder", 8).await;
    assert_eq!(sentinel.nodes[0].cli(&["WAIT", "2", "1000"]), "2");
    let killed = Instant::now();
    sentinel.nodes[0].stop();
    sentinel.promoted(old).await;
    eventually("it is extended", 2 * GRACE, || async {
        replicas[1].api.extend(&resource, token(&lock), 8).await.status == 200
    })
    .await;
    begun(&[&replicas[0], &replicas[1]]).await;
    let granted = |replica: &Replica| {
        let (api, resource) = (replica.api.clone(), name("after"));
        async move { api.acquire(&resource, "me", 1).await.status == 200 }
    };
    eventually("grants are made again", 4 * GRACE, || granted(&replicas[0])).await;
    assert!(killed.elapsed() >= 2 * GRACE);
    assert!(granted(&replicas[1]).await, "they agree");
}

#[tokio::test]
async fn each_slot_of_a_cluster_is_settled_when_a_replica_connects() {
    let cluster = Cluster::start().await;
    let replica = replica(&cluster.url()).await;
    let resources: Vec<_> = (0..12).map(|_| name("slot")).collect();
    for resource in &resources {
        assert_recovering(&replica.api.acquire(resource, "me", 1).await);
    }
    let settled = |log: String| log.lines().any(|line| line.contains("looked in each slot") && line.contains("16384"));
    eventually("all slots are settled", 5 * BUSY, || async { settled(replica.log()) }).await;
    // None of them begins its time now.
    tokio::time::sleep(GRACE).await;
    for resource in &resources {
        replica.api.granted(resource, "me", 1).await;
    }
    assert_eq!(replica.log().matches("of a new incarnation").count(), 1, "{}", replica.log());
}

#[tokio::test]
async fn after_a_failover_in_a_cluster_the_slots_of_the_lost_master_wait() {
    let mut cluster = Cluster::with_replicas().await;
    let replica = replica(&cluster.url()).await;
    over(&replica.api, Instant::now()).await;
    let key = |resource: &str| format!("gorilla:{{{resource}}}:lock");
    let port = cluster.nodes[0].port;
    let is_lost = |resource: &String| cluster.master_of(&key(resource)).port == port;
    let mut names = std::iter::repeat_with(|| name("cluster"));
    let lost = names.find(is_lost).expect("endless");
    let kept = names.find(|resource| !is_lost(resource)).expect("endless");
    eventually("both are granted", GRACE + BUSY, || async {
        replica.api.acquire(&lost, "me", 0.2).await.status == 200
            && replica.api.acquire(&kept, "me", 0.2).await.status == 200
    })
    .await;
    cluster.nodes.retain(|node| node.port != port);
    let promoted = Instant::now();
    eventually("a replica has taken over and grants wait", ELECTION, || async {
        replica.api.acquire(&lost, "me", 1).await.code() == "recovering"
    })
    .await;
    // The other masters have lost nothing.
    replica.api.granted(&kept, "me", 1).await;
    eventually("it is over", 2 * (GRACE + BUSY), || async { replica.api.acquire(&lost, "me", 1).await.status == 200 })
        .await;
    assert!(promoted.elapsed() >= GRACE);
}

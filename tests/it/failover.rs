//! A master that goes away: what clients see, and for how long.

use std::time::{Duration, Instant};

use crate::harness::{Api, Cluster, ELECTION, Replica, Sentinel, eventually, name, token};

/// From the promotion of a new master until Gorilla serves again.
pub const HEALED: Duration = Duration::from_secs(3);

/// Waits until acquires succeed again. Until then each of them says honestly that it can't be told or was not done.
pub async fn heals(api: &Api, since: Instant) {
    loop {
        let answer = api.acquire(&name("again"), "me", 30).await;
        match answer.status {
            200 => break,
            503 => assert_eq!(answer.json()["outcome"], "not_executed", "{answer:?}"),
            504 => assert_eq!(answer.json()["outcome"], "unknown", "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
        assert!(since.elapsed() < 4 * HEALED, "it does not heal: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = since.elapsed();
    assert!(took < HEALED, "it took {took:?}");
}

#[tokio::test]
async fn sentinel_replaces_a_master_that_is_killed() {
    let mut sentinel = Sentinel::start().await;
    let replica = Replica::with(&sentinel.url(), &[]).await;
    let resource = name("kept");
    let before = replica.api.granted(&resource, "holder", 60).await;
    let old = sentinel.master();
    // The grant has reached the replicas.
    assert_eq!(sentinel.nodes[0].cli(&["WAIT", "2", "1000"]), "2");
    sentinel.nodes[0].stop();
    let promoted = sentinel.promoted(old).await;
    heals(&replica.api, promoted).await;
    assert_eq!(replica.api.state(&resource).await["fence"], before["fence"]);
}

#[tokio::test]
async fn sentinel_replaces_a_master_that_hangs_and_the_old_one_is_not_used_when_it_wakes() {
    let sentinel = Sentinel::start().await;
    let replica = Replica::with(&sentinel.url(), &[]).await;
    let old = sentinel.master();
    sentinel.nodes[0].pause();
    let promoted = sentinel.promoted(old).await;
    heals(&replica.api, promoted).await;
    sentinel.nodes[0].resume();
    eventually("the old master follows the new one", Duration::from_secs(20), || async {
        sentinel.nodes[0].cli(&["ROLE"]).starts_with("slave")
    })
    .await;
    for _ in 0..20 {
        replica.api.granted(&name("after"), "me", 5).await;
    }
}

/// The lock key of a resource.
fn key(resource: &str) -> String {
    format!("gorilla:{{{resource}}}:lock")
}

#[tokio::test]
async fn a_cluster_replaces_a_master_that_is_killed() {
    let mut cluster = Cluster::with_replicas().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let resources: Vec<_> = (0..9).map(|_| name("cluster")).collect();
    let mut fences = Vec::new();
    for resource in &resources {
        fences.push(replica.api.granted(resource, "holder", 60).await["fence"].clone());
    }
    // This is the node that the URL names: the replica must know the others by then.
    let port = cluster.nodes[0].port;
    let lost = resources.iter().map(|resource| key(resource)).find(|key| cluster.master_of(key).port == port);
    let lost = lost.expect("one of nine is in its slots");
    assert_eq!(cluster.nodes[0].cli(&["WAIT", "1", "1000"]), "1");
    cluster.nodes.retain(|node| node.port != port);
    eventually("a replica takes over", ELECTION, || async {
        cluster.nodes.iter().any(|node| node.is_master() && node.cli(&["EXISTS", &lost]) == "1")
    })
    .await;
    heals(&replica.api, Instant::now()).await;
    for (resource, fence) in resources.iter().zip(fences) {
        assert_eq!(replica.api.state(resource).await["fence"], fence);
    }
}

#[tokio::test]
async fn a_cluster_replaces_a_master_that_hangs_while_the_others_have_traffic() {
    let cluster = Cluster::with_replicas().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let resources: Vec<_> = (0..9).map(|_| name("hangs")).collect();
    for resource in &resources {
        replica.api.granted(resource, "holder", 60).await;
    }
    let lost = key(&resources[0]);
    let hangs = cluster.master_of(&lost);
    assert_eq!(hangs.cli(&["WAIT", "1", "1000"]), "1");
    hangs.pause();
    let traffic = resources.iter().map(|resource| {
        let (api, path) = (replica.api.clone(), crate::harness::lock_path(resource));
        tokio::spawn(async move {
            loop {
                api.get(&path).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    });
    let traffic: Vec<_> = traffic.collect();
    let others = || cluster.nodes.iter().filter(|node| node.port != hangs.port);
    eventually("a replica takes over", ELECTION, || async {
        others().any(|node| node.is_master() && node.cli(&["EXISTS", &lost]) == "1")
    })
    .await;
    eventually("what the one that hangs had is served", HEALED, || async {
        replica.api.get(&crate::harness::lock_path(&resources[0])).await.status == 200
    })
    .await;

    traffic.iter().for_each(tokio::task::JoinHandle::abort);
    hangs.resume();
    for resource in &resources {
        assert_eq!(replica.api.state(resource).await["held"], true);
    }
}

#[tokio::test]
async fn a_slot_that_moves_costs_a_pause_and_no_answer() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let (api, resource) = (&replica.api, name("moving"));
    let mut lock = api.granted(&resource, "holder", 60).await;
    let (key, fence) = (key(&resource), lock["fence"].clone());
    let from = cluster.master_of(&key);
    let to = cluster.nodes.iter().find(|node| node.port != from.port).expect("another master");
    let id = |node: &crate::harness::Redis| node.cli(&["CLUSTER", "MYID"]);
    let slot = from.cli(&["CLUSTER", "KEYSLOT", &key]);
    to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
    from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
    // Between the two there is a redirection for once (ASK), and keys on either side (TRYAGAIN).
    let extending = tokio::spawn({
        let (api, resource, old) = (api.clone(), resource.clone(), token(&lock).to_string());
        async move { api.extend(&resource, &old, 60).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let keys = from.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
    for moved in keys.lines() {
        assert_eq!(from.cli(&["MIGRATE", "127.0.0.1", &to.port.to_string(), moved, "0", "1000"]), "OK");
    }
    for node in [to, from] {
        node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
    }
    // The first to learn of it (MOVED), and all after.
    let answer = extending.await.expect("an answer");
    lock = match answer.status {
        200 => answer.json(),
        _ => panic!("{answer:?}"),
    };
    for _ in 0..5 {
        let answer = api.extend(&resource, token(&lock), 60).await;
        assert_eq!((answer.status, &answer.json()["fence"]), (200, &fence), "{answer:?}");
        lock = answer.json();
    }
    assert_eq!(to.cli(&["EXISTS", &key]), "1");
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
}

#[tokio::test]
async fn while_a_slot_is_on_its_way_nothing_is_done_and_that_is_said() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let (api, resource) = (&replica.api, name("on-its-way"));
    let key = key(&resource);
    let from = cluster.master_of(&key);
    let to = cluster.nodes.iter().find(|node| node.port != from.port).expect("another master");
    let slot = from.cli(&["CLUSTER", "KEYSLOT", &key]);
    from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.cli(&["CLUSTER", "MYID"])]);
    let answer = api.acquire(&resource, "me", 30).await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (503, &"not_executed".into()), "{answer:?}");
    from.cli(&["CLUSTER", "SETSLOT", &slot, "STABLE"]);
    api.granted(&resource, "me", 30).await;
}

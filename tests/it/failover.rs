//! A master that goes away: what clients see, and for how long.

use std::time::{Duration, Instant};

use crate::harness::{Api, Replica, Sentinel, eventually, name};

/// From the promotion of a new master until Gorilla serves again.
const HEALED: Duration = Duration::from_secs(3);

/// Waits until acquires succeed again. Until then each of them says honestly that it can't be told or was not done.
async fn heals(api: &Api, since: Instant) {
    loop {
        let answer = api.acquire(&name("again"), "me", 30).await;
        match answer.status {
            200 => break,
            503 => assert_eq!(answer.json()["outcome"], "not_executed", "{answer:?}"),
            504 => assert_eq!(answer.json()["outcome"], "unknown", "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = since.elapsed();
    assert!(took < HEALED, "it took {took:?}");
    println!("healed within {took:?} of the promotion");
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

#[tokio::test]
async fn a_switch_of_the_master_under_load_is_short() {
    let sentinel = Sentinel::start().await;
    let replica = Replica::with(&sentinel.url(), &[]).await;
    let old = sentinel.master();
    sentinel.fail_over();
    let promoted = sentinel.promoted(old).await;
    heals(&replica.api, promoted).await;
}

//! A release that takes the claim of the next waiter along, if that waiter is at the same replica.

use std::time::Duration;

use reqwest::Method;

use super::{SOON, granted, queue, queue_keys, queued};
use crate::harness::{Api, Redis, Replica, eventually, lock_path, name, token};

/// How often Redis has run a command.
fn calls(redis: &Redis, command: &str) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let line =
        stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))?.split(',').next());
    line.map_or(0, |calls| calls.parse().expect("a number"))
}

/// A lock on a replica, after a first handover between two of its clients, so that Redis knows the script.
async fn handed_over(redis: &Redis, api: &Api, resource: &str) -> serde_json::Value {
    let held = api.granted(resource, "first", 30).await;
    let second = queued(redis, api, resource, "second", 20.0, None).await;
    assert_eq!(api.release(resource, token(&held)).await.status, 204);
    granted(second).await
}

#[tokio::test]
async fn a_handover_on_one_replica_takes_one_script_and_no_message() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("handover"));
    let held = handed_over(&redis, api, &resource).await;
    let next = queued(&redis, api, &resource, "next", 20.0, None).await;
    let counted = || ["evalsha", "eval", "publish"].map(|command| calls(&redis, command));
    let [evalsha, eval, publish] = counted();
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    assert_eq!(granted(next).await["owner"], "next");
    assert_eq!(counted(), [evalsha + 1, eval, publish]);
    assert_eq!(queue_keys(&redis, &resource), "");
}

#[tokio::test]
async fn a_claim_that_a_release_takes_along_passes_no_earlier_waiter_of_another_replica() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let [here, there] = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("elsewhere");
    let held = handed_over(&redis, &here.api, &resource).await;
    let first = queued(&redis, &there.api, &resource, "first", 20.0, None).await;
    let second = queued(&redis, &here.api, &resource, "second", 20.0, None).await;
    assert_eq!(here.api.release(&resource, token(&held)).await.status, 204);
    let lock = granted(first).await;
    assert_eq!(lock["owner"], "first");
    assert!(!second.is_finished());
    assert_eq!(queue(&redis, &resource), ["second"]);
    assert_eq!(there.api.release(&resource, token(&lock)).await.status, 204);
    assert_eq!(granted(second).await["owner"], "second");
}

#[tokio::test]
async fn a_release_with_a_wrong_token_leaves_the_waiter_waiting() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("wrong-token"));
    let held = handed_over(&redis, api, &resource).await;
    let next = queued(&redis, api, &resource, "next", 20.0, None).await;
    assert_eq!(api.release(&resource, "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31").await.status, 404);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!next.is_finished());
    assert_eq!(queue(&redis, &resource), ["next"]);
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    assert_eq!(granted(next).await["owner"], "next");
}

/// A copy of a release that was executed is answered from its record, and takes no claim along.
#[tokio::test]
async fn a_copy_of_a_release_hands_nothing_over() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("copy"));
    let held = handed_over(&redis, api, &resource).await;
    let next = queued(&redis, api, &resource, "next", 20.0, None).await;
    let path = format!("{}/{}", lock_path(&resource), token(&held));
    let release = || api.send(Method::DELETE, &path, &[("Idempotency-Key", "k")], None);
    assert_eq!(release().await.status, 204);
    let lock = granted(next).await;
    let after = queued(&redis, api, &resource, "after", 20.0, None).await;
    let copy = release().await;
    assert_eq!((copy.status, copy.headers["idempotent-replay"].as_bytes()), (204, b"true".as_slice()));
    assert_eq!(queue(&redis, &resource), ["after"]);
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    assert_eq!(granted(after).await["owner"], "after");
}

/// The client that releases is gone before its answer; the waiter gets the lock all the same, and at once.
#[tokio::test]
async fn who_hangs_up_during_a_release_costs_the_next_waiter_nothing() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("gone"));
    let mut held = handed_over(&redis, api, &resource).await;
    for round in 0..30 {
        let next = queued(&redis, api, &resource, "next", 20.0, None).await;
        // Redis hangs for longer than the client stays.
        redis.pause();
        let (one_use, path) = (Api::at(&api.address), format!("{}/{}", lock_path(&resource), token(&held)));
        let release = tokio::spawn(async move { one_use.send(Method::DELETE, &path, &[], None).await });
        tokio::time::sleep(Duration::from_millis(20 + round)).await;
        release.abort();
        tokio::time::sleep(Duration::from_millis(20)).await;
        redis.resume();
        held = tokio::time::timeout(SOON, granted(next)).await.expect("at once");
    }
    api.release(&resource, token(&held)).await;
    eventually("nothing is left", SOON, || async { queue_keys(&redis, &resource).is_empty() }).await;
}

#[tokio::test]
async fn out_of_memory_a_release_frees_the_lock_and_the_waiter_waits_on() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("memory"));
    let held = handed_over(&redis, api, &resource).await;
    let next = queued(&redis, api, &resource, "next", 20.0, None).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    assert_eq!(redis.cli(&["EXISTS", &super::lock_key(&resource)]), "0");
    assert!(!next.is_finished());
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(granted(next).await["owner"], "next");
}

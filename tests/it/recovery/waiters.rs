//! Requests that wait during a recovery keep their places, and are granted the lock in turn when it is over.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{BUSY, GRACE, assert_recovering, begun, settled};
use crate::harness::{Api, Redis, Replica, eventually, lock_path, name, token};

/// Owner, lock, and when it was granted.
type Granted = (String, Value, Instant);

/// Waits for the lock, keeps it for a moment, and gives it back.
fn waiter(api: &Api, resource: &str, owner: &str) -> JoinHandle<Granted> {
    let (api, resource, owner) = (Api::at(&api.address), resource.to_string(), owner.to_string());
    let body = json!({ "owner": owner, "timeout": 4, "wait": 25 }).to_string();
    tokio::spawn(async move {
        let answer = api.send(Method::POST, &lock_path(&resource), &[], Some(body)).await;
        let granted = Instant::now();
        assert_eq!(answer.status, 200, "{owner}: {answer:?}");
        assert_eq!(api.release(&resource, token(&answer.json())).await.status, 204);
        (owner, answer.json(), granted)
    })
}

/// Six waiters that have joined in order, in turn at either replica.
async fn queue(replicas: &[Replica; 2], resource: &str) -> Vec<JoinHandle<Granted>> {
    let mut waiters = Vec::new();
    for index in 0..6 {
        waiters.push(waiter(&replicas[index % 2].api, resource, &format!("waiter-{index}")));
        eventually("it waits", BUSY, || async { replicas[0].api.state(resource).await["waiting"] == waiters.len() })
            .await;
    }
    waiters
}

/// Asserts that all were granted the lock, none before `from`, in the order in which they came.
async fn served_in_order(waiters: Vec<JoinHandle<Granted>>, from: Instant) {
    let mut fences = Vec::new();
    for waiter in waiters {
        let (owner, lock, granted) = waiter.await.expect("a grant");
        assert!(granted >= from, "{owner} was granted it too early");
        fences.push(lock["fence"].as_u64().expect("a fence"));
    }
    assert!(fences.is_sorted(), "not in order: {fences:?}");
}

#[tokio::test]
async fn waiters_whose_queue_was_lost_are_served_in_order_when_it_is_over() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let replicas = settled(&redis).await;
    let resource = name("lost");
    replicas[0].api.granted(&resource, "holder", 4).await;
    let ends = Instant::now() + GRACE;
    let waiters = queue(&replicas, &resource).await;
    redis.stop();
    redis.run();
    begun(&[&replicas[0], &replicas[1]]).await;
    eventually("all are back", BUSY, || async { replicas[1].api.state(&resource).await["waiting"] == 6 }).await;
    assert_recovering(&replicas[1].api.acquire(&resource, "me", 1).await);
    served_in_order(waiters, ends).await;
}

#[tokio::test]
async fn a_release_meanwhile_gives_nobody_the_lock_and_costs_nobody_the_place() {
    let mut redis = Redis::start(&[]);
    let replicas = settled(&redis).await;
    let resource = name("released");
    let held = replicas[0].api.granted(&resource, "holder", 4).await;
    let waiters = queue(&replicas, &resource).await;
    redis.stop();
    redis.run();
    let since = Instant::now();
    begun(&[&replicas[0], &replicas[1]]).await;
    assert_eq!(replicas[1].api.release(&resource, token(&held)).await.status, 204);
    // This is longer than a turn: the waiter that was woken could not claim the lock, and still has its place.
    while since.elapsed() < GRACE - Duration::from_secs(1) {
        let state = replicas[0].api.state(&resource).await;
        assert_eq!((&state["held"], &state["waiting"]), (&false.into(), &6.into()), "{state}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The grace began when a replica had reached the new process, which is not before it ran.
    served_in_order(waiters, since + GRACE).await;
    assert_eq!(redis.cli(&["KEYS", &format!("gorilla:{{{resource}}}:queue*")]), "");
}

#[tokio::test]
async fn a_wait_that_ends_meanwhile_says_why_it_was_in_vain() {
    let redis = Redis::start(&[]);
    let replica = super::replica(&redis.url()).await;
    let resource = name("vain");
    let body = json!({ "owner": "me", "timeout": 1, "wait": 0.3 });
    let answer = replica.api.acquire_with(&resource, &body, &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "wait_timeout"), "{answer:?}");
    let facts = answer.json();
    assert_eq!((&facts["position"], &facts["waiting"]), (&1.into(), &1.into()), "{answer:?}");
    assert!(facts["recoveringMs"].as_u64().is_some_and(|left| left <= 4000), "{answer:?}");
    assert!(facts["errorMessage"].to_string().contains("may have lost who holds"), "{answer:?}");
}

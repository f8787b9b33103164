//! Requests with a headstart.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{SOON, granted, queue, queued};
use crate::harness::{Answer, Api, Redis, Replica, eventually, name, token};

/// A waiter with a body of its own that has joined the queue.
async fn asks(redis: &Redis, api: &Api, resource: &str, body: Value, key: &'static str) -> JoinHandle<Answer> {
    let (before, api, path) = (queue(redis, resource).len(), Api::at(&api.address), resource.to_string());
    let waiter = tokio::spawn(async move { api.acquire_with(&path, &body, &[("Idempotency-Key", key)]).await });
    eventually("it waits", SOON, || async { queue(redis, resource).len() > before }).await;
    waiter
}

#[tokio::test]
async fn urgent_requests_are_served_first_at_whichever_replica_and_all_others_in_their_order() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("urgent");
    let held = replicas[0].api.granted(&resource, "holder", 60).await;
    let mut waiters = Vec::new();
    for (at, owner) in [(0, "a"), (1, "b"), (0, "c")] {
        waiters.push(queued(&redis, &replicas[at].api, &resource, owner, 20.0, None).await);
    }
    let urgent = |owner: &str| json!({ "owner": owner, "timeout": 30, "wait": 20, "headstart": 30 });
    for (at, owner, key) in [(1, "urgent 1", "u-1"), (0, "urgent 2", "u-2")] {
        waiters.push(asks(&redis, &replicas[at].api, &resource, urgent(owner), key).await);
    }
    let order = ["urgent 1", "urgent 2", "a", "b", "c"];
    assert_eq!(queue(&redis, &resource), order);
    // The urgent ones joined last. Releases go through both replicas, and each may take the claim of a waiter along.
    let mut lock = held;
    for (round, owner) in order.into_iter().enumerate() {
        assert_eq!(replicas[round % 2].api.release(&resource, token(&lock)).await.status, 204);
        let next = waiters.remove(if round < 2 { 3 } else { 0 });
        lock = granted(next).await;
        assert_eq!(lock["owner"], owner);
    }
}

#[tokio::test]
async fn a_request_with_a_headstart_keeps_its_place_from_piece_to_piece() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("urgent-pieces"));
    let held = api.granted(&resource, "holder", 60).await;
    let _first = queued(&redis, api, &resource, "first", 20.0, None).await;
    let piece =
        |wait: f64, headstart: u64| json!({ "owner": "urgent", "timeout": 30, "wait": wait, "headstart": headstart });
    let key = [("Idempotency-Key", "pieces")];
    let over = api.acquire_with(&resource, &piece(0.2, 30), &key).await;
    assert_eq!((over.code().as_str(), &over.json()["position"]), ("wait_timeout", &json!(1)), "{over:?}");
    assert_eq!(api.acquire_with(&resource, &piece(0.2, 29), &key).await.code(), "idempotency_key_reused");
    assert_eq!(api.acquire_with(&resource, &piece(0.2, 0), &key).await.code(), "idempotency_key_reused");
    let next = asks(&redis, api, &resource, piece(20.0, 30), "pieces").await;
    assert_eq!(queue(&redis, &resource), ["urgent", "first"]);
    api.release(&resource, token(&held)).await;
    assert_eq!(granted(next).await["owner"], "urgent");
}

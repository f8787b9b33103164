//! Requests that replace others in the queue.

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{SOON, granted, queue};
use crate::harness::{Answer, Api, Redis, Replica, eventually, lock_path, name, token};

/// A waiter with this value of `replaces`, once it is the last in the queue.
async fn asks(redis: &Redis, api: &Api, resource: &str, owner: &str, key: Option<&'static str>) -> JoinHandle<Answer> {
    let (api, path) = (Api::at(&api.address), lock_path(resource));
    let body = json!({ "owner": owner, "timeout": 30, "wait": 20, "replaces": "deploy of main" }).to_string();
    let waiter = tokio::spawn(async move {
        let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", *key)).collect();
        api.send(Method::POST, &path, &headers, Some(body)).await
    });
    eventually("it waits", SOON, || async { queue(redis, resource).last().is_some_and(|last| last == owner) }).await;
    waiter
}

async fn replaced(waiter: JoinHandle<Answer>) {
    let answer = tokio::time::timeout(SOON, waiter).await.expect("in time").expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (409, "replaced"), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "not_executed");
}

#[tokio::test]
async fn of_the_requests_with_one_value_only_the_newest_waits_at_whichever_replica() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("newest");
    let held = replicas[0].api.granted(&resource, "running", 60).await;
    let first = asks(&redis, &replicas[0].api, &resource, "first", Some("first")).await;
    let second = asks(&redis, &replicas[0].api, &resource, "second", None).await;
    replaced(first).await;
    let third = asks(&redis, &replicas[1].api, &resource, "third", None).await;
    replaced(second).await;
    assert_eq!(queue(&redis, &resource), ["third"]);
    // The first comes back, and is told the same.
    let body = json!({ "owner": "first", "timeout": 30, "wait": 20, "replaces": "deploy of main" });
    for replica in &replicas {
        let again = replica.api.acquire_with(&resource, &body, &[("Idempotency-Key", "first")]).await;
        assert_eq!(again.code(), "replaced", "{again:?}");
    }
    replicas[0].api.release(&resource, token(&held)).await;
    let lock = granted(third).await;
    // A holder is no waiter, so nobody replaces it.
    let fourth = asks(&redis, &replicas[0].api, &resource, "fourth", None).await;
    assert_eq!(replicas[1].api.status(&resource, token(&lock)).await.status, 200);
    replicas[1].api.release(&resource, token(&lock)).await;
    assert_eq!(granted(fourth).await["owner"], "fourth");
}

#[tokio::test]
async fn a_request_that_replaced_another_and_hangs_up_leaves_the_queue_empty() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("newest-gone"));
    api.granted(&resource, "running", 60).await;
    let first = asks(&redis, api, &resource, "first", None).await;
    let second = asks(&redis, api, &resource, "second", None).await;
    replaced(first).await;
    second.abort();
    eventually("nobody waits", SOON, || async { queue(&redis, &resource).is_empty() }).await;
}

#[tokio::test]
async fn a_shared_request_replaces_one_that_waits_for_the_same_group() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("newest-shared"));
    let shared = |owner: &str, wait: u64| {
        let share = json!({ "mode": "shared", "limit": 1, "replaces": "deploy of main" });
        let mut body = json!({ "owner": owner, "timeout": 30, "wait": wait });
        body.as_object_mut().expect("an object").extend(share.as_object().expect("an object").clone());
        body
    };
    let held = api.acquire_with(&resource, &shared("running", 0), &[]).await.json();
    let wait = |owner: &'static str| {
        let (api, path, body) = (Api::at(&api.address), resource.clone(), shared(owner, 20));
        tokio::spawn(async move { api.acquire_with(&path, &body, &[]).await })
    };
    let first = wait("first");
    eventually("it waits", SOON, || async { queue(&redis, &resource) == ["first"] }).await;
    let second = wait("second");
    replaced(first).await;
    assert_eq!(queue(&redis, &resource), ["second"]);
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    assert_eq!(granted(second).await["owner"], "second");
}

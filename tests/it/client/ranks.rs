//! Urgent requests, and requests of which only the newest waits, by the Rust client.

use std::time::Duration;

use gorilla_client::Error;

use super::shared;
use crate::harness::{eventually, name};

/// Waits until so many requests wait for a lock.
async fn waiting(api: &crate::harness::Api, resource: &str, count: u64) {
    eventually(&format!("{count} wait"), Duration::from_secs(20), || async {
        api.state(resource).await["waiting"] == count
    })
    .await;
}

#[tokio::test]
async fn a_request_with_a_headstart_comes_before_one_that_arrived_within_it() {
    let ((api, client), resource) = (shared().await, name("headstart"));
    let held = client.lock(&resource).acquire().await.expect("a lock");
    let request = |owner: &str| client.lock(&resource).owner(owner).wait(Duration::MAX);
    let usual = tokio::spawn(request("usual").acquire());
    waiting(&api, &resource, 1).await;
    let urgent = tokio::spawn(request("urgent").headstart(Duration::from_secs(60)).acquire());
    waiting(&api, &resource, 2).await;
    // Both come back to their places, with the same headstart, when their first piece is over.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    waiting(&api, &resource, 2).await;
    held.release().await.expect("released");
    let urgent = urgent.await.expect("no panic").expect("a lock");
    assert!(!usual.is_finished(), "the request without a headstart came first");
    let fence = urgent.fence();
    urgent.release().await.expect("released");
    let usual = usual.await.expect("no panic").expect("a lock");
    assert!(usual.fence() > fence);
    usual.release().await.expect("released");
}

#[tokio::test]
async fn a_request_is_dismissed_by_a_later_one_with_the_same_text() {
    let ((api, client), resource) = (shared().await, name("replaces"));
    let held = client.lock(&resource).acquire().await.expect("a lock");
    let request = |text: &str| client.lock(&resource).wait(Duration::MAX).replaces(text);
    let old = tokio::spawn(request("main").acquire());
    waiting(&api, &resource, 1).await;
    let other = tokio::spawn(request("branch").acquire());
    waiting(&api, &resource, 2).await;
    let new = tokio::spawn(request("main").acquire());
    let refused = old.await.expect("no panic").expect_err("it was dismissed");
    assert!(matches!(&refused, Error::Refused { code, .. } if code == "replaced"), "{refused:?}");
    held.release().await.expect("released");
    other.await.expect("no panic").expect("a lock").release().await.expect("released");
    new.await.expect("no panic").expect("a lock").release().await.expect("released");
}

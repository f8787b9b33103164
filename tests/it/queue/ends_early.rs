//! A lease that ends sooner than the waiters were told.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::{granted, queued};
use crate::harness::{Redis, Replica, lock_path, name, token};

/// The next is granted the lock when the grace is over, and far from the end of the lease that it was told of.
fn came_in_time(begun: Instant) {
    let waited = begun.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn the_first_waiter_is_granted_the_lock_when_the_grace_of_a_break_is_over_at_whichever_replica() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    for (breaker, other) in [(0, 0), (0, 1)] {
        let resource = name("grace");
        replicas[other].api.granted(&resource, "holder", 60).await;
        let next = queued(&redis, &replicas[other].api, &resource, "next", 20.0, None).await;
        // Longer than the second look after joining.
        tokio::time::sleep(Duration::from_millis(1300)).await;
        let begun = Instant::now();
        let broken = replicas[breaker].api.break_lock(&resource, &json!({ "grace": 1 }), &[]).await;
        assert_eq!(broken.status, 200, "{broken:?}");
        assert_eq!(granted(next).await["owner"], "next");
        came_in_time(begun);
    }
}

#[tokio::test]
async fn a_holder_that_releases_within_the_grace_hands_the_lock_over_at_once() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("grace-release"));
    let held = api.granted(&resource, "holder", 60).await;
    let next = queued(&redis, api, &resource, "next", 20.0, None).await;
    api.break_lock(&resource, &json!({ "grace": 50 }), &[]).await;
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    let lock = granted(next).await;
    assert_eq!(api.extend(&resource, token(&lock), 60).await.status, 200);
}

/// The first waiter was told when the lease ends, and is gone by then, and its replica as well.
#[tokio::test]
async fn the_replica_that_broke_the_lock_wakes_the_next_if_the_waiter_that_was_told_is_gone() {
    let redis = Redis::start(&[]);
    let [breaker, dies, lives] = [Replica::on(&redis).await, Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("grace-gone");
    breaker.api.granted(&resource, "holder", 60).await;
    let first = queued(&redis, &dies.api, &resource, "first", 20.0, None).await;
    let next = queued(&redis, &lives.api, &resource, "next", 20.0, None).await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let begun = Instant::now();
    breaker.api.break_lock(&resource, &json!({ "grace": 1 }), &[]).await;
    drop(dies);
    first.abort();
    assert_eq!(granted(next).await["owner"], "next");
    came_in_time(begun);
}

#[tokio::test]
async fn the_first_waiter_is_granted_a_lock_that_was_released_for_later_and_not_before() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    for (releases, other) in [(0, 0), (0, 1)] {
        let resource = name("later");
        let held = replicas[other].api.granted(&resource, "holder", 60).await;
        let next = queued(&redis, &replicas[other].api, &resource, "next", 20.0, None).await;
        tokio::time::sleep(Duration::from_millis(1300)).await;
        let begun = Instant::now();
        let path = format!("{}/{}?after=1", lock_path(&resource), token(&held));
        assert_eq!(replicas[releases].api.send(Method::DELETE, &path, &[], None).await.status, 204);
        assert_eq!(granted(next).await["owner"], "next");
        came_in_time(begun);
    }
}

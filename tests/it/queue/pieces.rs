//! Waiting in pieces, with an Idempotency-Key that keeps the place.

use std::time::Duration;

use serde_json::json;

use super::{granted, queue, queued, waiter};
use crate::harness::{Redis, Replica, name, token};

#[tokio::test]
async fn a_place_is_kept_between_two_pieces_on_any_replica() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("pieces");
    let held = replicas[0].api.granted(&resource, "holder", 30).await;
    let first = waiter(&replicas[0].api, &resource, "first", 0.3, Some("k1")).await.expect("an answer");
    assert_eq!((first.status, first.code().as_str()), (409, "wait_timeout"));
    let told = first.json();
    assert_eq!((&told["position"], &told["waiting"], &told["owner"]), (&json!(1), &json!(1), &json!("holder")));
    assert!(told["ttlMs"].as_u64().expect("a ttl") > 20_000);

    let second = queued(&redis, &replicas[0].api, &resource, "second", 20.0, None).await;
    let first = queued(&redis, &replicas[1].api, &resource, "first", 20.0, Some("k1")).await;
    assert_eq!(queue(&redis, &resource), ["first", "second"]);
    replicas[0].api.release(&resource, token(&held)).await;
    let lock = granted(first).await;
    replicas[0].api.release(&resource, token(&lock)).await;
    granted(second).await;
}

#[tokio::test]
async fn a_waiter_between_two_pieces_is_passed_over_and_not_dropped() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("passed"));
    let held = api.granted(&resource, "holder", 30).await;
    assert_eq!(waiter(api, &resource, "away", 0.2, Some("k1")).await.expect("an answer").status, 409);
    let second = queued(&redis, api, &resource, "second", 20.0, None).await;
    let third = queued(&redis, api, &resource, "third", 20.0, None).await;
    api.release(&resource, token(&held)).await;
    let lock = granted(second).await;
    let away = queued(&redis, api, &resource, "away", 20.0, Some("k1")).await;
    assert_eq!(queue(&redis, &resource), ["away", "third"]);
    api.release(&resource, token(&lock)).await;
    let lock = granted(away).await;
    api.release(&resource, token(&lock)).await;
    granted(third).await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_with_another_wait_is_not() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("body"));
    api.granted(&resource, "holder", 30).await;
    assert_eq!(waiter(api, &resource, "me", 0.2, Some("k1")).await.expect("an answer").code(), "wait_timeout");
    let other = waiter(api, &resource, "another", 0.2, Some("k1")).await.expect("an answer");
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    assert_eq!(waiter(api, &resource, "me", 0.3, Some("k1")).await.expect("an answer").code(), "wait_timeout");
}

#[tokio::test]
async fn without_a_key_or_after_ten_seconds_the_place_is_lost() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("late"));
    api.granted(&resource, "holder", 60).await;
    for key in [None, Some("k1")] {
        assert_eq!(waiter(api, &resource, "late", 0.1, key).await.expect("an answer").status, 409);
    }
    let _second = queued(&redis, api, &resource, "second", 40.0, None).await;
    tokio::time::sleep(Duration::from_millis(10_200)).await;
    let _late = queued(&redis, api, &resource, "late", 20.0, Some("k1")).await;
    assert_eq!(queue(&redis, &resource), ["second", "late"]);
}

#[tokio::test]
async fn two_copies_at_once_get_one_grant() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("copies");
    let held = replicas[0].api.granted(&resource, "holder", 30).await;
    let first = queued(&redis, &replicas[0].api, &resource, "me", 20.0, Some("k1")).await;
    let second = waiter(&replicas[1].api, &resource, "me", 20.0, Some("k1"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(queue(&redis, &resource), ["me"]);
    replicas[0].api.release(&resource, token(&held)).await;
    let (first, second) = (granted(first).await, granted(second).await);
    assert_eq!((&first["token"], &first["fence"]), (&second["token"], &second["fence"]));
}

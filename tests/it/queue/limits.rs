//! How long a request may wait, and how many may.

use serde_json::json;

use super::{queue, queued, waiter};
use crate::harness::{Redis, Replica, name};

#[tokio::test]
async fn a_wait_is_seconds_from_nothing_to_the_longest() {
    let redis = Redis::start(&[]);
    let replica = Replica::with(&redis.url(), &[("GORILLA__LIMITS__MAX_WAIT", "5s")]).await;
    let (api, resource) = (&replica.api, name("wait"));
    for wait in [json!(-1), json!(5.001), json!("ten"), json!(true), json!([1]), json!("1e999")] {
        let answer = api.acquire_with(&resource, &json!({ "owner": "me", "timeout": 30, "wait": wait }), &[]).await;
        assert_eq!((answer.status, answer.json()["field"].as_str()), (400, Some("wait")), "{wait} {answer:?}");
    }
    assert_eq!(api.state(&resource).await["held"], false);
    let wait = |wait| json!({ "owner": "me", "timeout": 30, "wait": wait });
    assert_eq!(api.acquire_with(&resource, &wait(json!("5")), &[]).await.status, 200);
    for none in [json!(null), json!(0), json!("0"), json!(0.0001)] {
        let answer = api.acquire_with(&resource, &wait(none), &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "lock_held"), "{answer:?}");
    }
    let answer = api.acquire_with(&resource, &wait(json!(0.05)), &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "wait_timeout"), "{answer:?}");
}

#[tokio::test]
async fn the_queue_of_a_lock_has_room_for_so_many() {
    let redis = Redis::start(&[]);
    let replica = Replica::with(&redis.url(), &[("GORILLA__LIMITS__MAX_WAITERS", "2")]).await;
    let (api, resource) = (&replica.api, name("full"));
    api.granted(&resource, "holder", 30).await;
    let _waiters =
        [queued(&redis, api, &resource, "a", 20.0, None).await, queued(&redis, api, &resource, "b", 20.0, None).await];
    let answer = waiter(api, &resource, "c", 20.0, None).await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (429, "queue_full"), "{answer:?}");
    assert_eq!((answer.header("Retry-After"), &answer.json()["waiting"]), (Some("1"), &json!(2)));
    assert_eq!(queue(&redis, &resource), ["a", "b"]);
}

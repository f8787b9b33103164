//! Each change is told, with its facts.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};

use super::{cursors, feed, json as told, kinds, listen, next, until};
use crate::harness::{Api, Redis, Replica, eventually, lock_path, name, token};

/// Waits until so many requests wait for a lock.
async fn waiting(api: &Api, resource: &str, count: u64) {
    eventually("they wait", Duration::from_secs(30), || async { api.state(resource).await["waiting"] == count }).await;
}

#[tokio::test]
async fn a_lock_is_granted_extended_and_released_and_each_is_told_with_its_facts() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("told {it}% 🦍"));
    let mut listener = listen(&feed, None).await;
    let body = json!({ "owner": "ci/4711", "timeout": 30, "metadata": [{ "job": "nightly" }] });
    let lock = replica.api.acquire_with(&resource, &body, &[]).await.json();
    let granted = next(&mut listener, &resource).await;
    let json = told(&granted);
    let cursor = granted.cursor.expect("a cursor").to_string();
    assert_eq!(
        json,
        json!({
            "type": "granted", "cursor": cursor, "resource": resource, "owner": "ci/4711", "fence": lock["fence"],
            "id": lock["id"], "at": lock["createdAt"], "expireAt": lock["expireAt"], "metadata": [{ "job": "nightly" }],
        })
    );
    let extended = replica.api.extend(&resource, token(&lock), 60).await.json();
    let json = told(&next(&mut listener, &resource).await);
    assert_eq!(
        [&json["type"], &json["fence"], &json["id"], &json["expireAt"]],
        [&json!("extended"), &lock["fence"], &lock["id"], &extended["expireAt"]]
    );
    replica.api.release(&resource, token(&extended)).await;
    let json = told(&next(&mut listener, &resource).await);
    assert_eq!([&json["type"], &json["id"]], [&json!("released"), &lock["id"]]);
    assert!(json["heldMs"].is_u64(), "{json}");
    // The next grant names the fence before it, and leaves long metadata out.
    let long = json!({ "owner": "b", "timeout": 30, "metadata": ["x".repeat(260)] });
    let second = replica.api.acquire_with(&resource, &long, &[]).await.json();
    let json = told(&next(&mut listener, &resource).await);
    assert_eq!([&json["previousFence"], &json["metadataOmitted"]], [&lock["fence"], &json!(true)]);
    assert!(json.get("metadata").is_none());
    replica.api.break_lock(&resource, &json!({ "reason": "stuck" }), &[]).await;
    let json = told(&next(&mut listener, &resource).await);
    assert_eq!(
        [&json["type"], &json["fence"], &json["by"], &json["reason"]],
        [&json!("broken"), &second["fence"], &Value::Null, &json!("stuck")]
    );
    let all = redis.cli(&["XRANGE", "gorilla:events", "-", "+"]);
    for lock in [&lock, &extended, &second] {
        assert!(!all.contains(token(lock)), "a token was recorded");
    }
}

#[tokio::test]
async fn those_who_wait_are_told_from_their_place_to_their_grant_or_their_leaving() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("waited"));
    let mut listener = listen(&feed, None).await;
    let first = replica.api.granted(&resource, "first", 60).await;
    let asked = |owner: &str, wait: f64| json!({ "owner": owner, "timeout": 60, "wait": wait });
    let (second, impatient) = (asked("second", 50.0), asked("impatient", 0.3));
    let waits = replica.api.acquire_with(&resource, &second, &[]);
    let rest = async {
        waiting(&replica.api, &resource, 1).await;
        assert_eq!(replica.api.acquire_with(&resource, &impatient, &[]).await.status, 409);
        assert_eq!(replica.api.release(&resource, token(&first)).await.status, 204);
    };
    let granted = join(waits, rest).await.0.json();
    let mut events = until(&mut listener, &resource, "released").await;
    events.push(next(&mut listener, &resource).await);
    assert_eq!(kinds(&events), ["granted", "queued", "queued", "left", "released", "granted"]);
    let json: Vec<_> = events.iter().map(told).collect();
    assert_eq!(
        [&json[1]["owner"], &json[1]["position"], &json[1]["waiting"], &json[1]["holderFence"]],
        [&json!("second"), &json!(1), &json!(1), &first["fence"]]
    );
    assert_eq!([&json[2]["owner"], &json[2]["position"]], [&json!("impatient"), &json!(2)]);
    assert_eq!([&json[3]["place"], &json[3]["cause"]], [&json[2]["place"], &json!("timeout")]);
    assert!(json[3]["waitedMs"].as_u64() >= Some(250), "{}", json[3]);
    // The place is the id of the grant that comes of it.
    assert_eq!([&json[1]["place"], &json[5]["fence"]], [&json[5]["id"], &granted["fence"]]);
    assert!(json[5]["waitedMs"].is_u64() && json[0].get("waitedMs").is_none());
    // The release and the grant to the waiter of the same replica were one step.
    let cursors = cursors(&events);
    assert_eq!(cursors[4].strip_suffix(".0"), cursors[5].strip_suffix(".1"), "{cursors:?}");
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_or_is_undone() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("gone"));
    let mut listener = listen(&feed, None).await;
    let first = replica.api.granted(&resource, "first", 60).await;
    let body = json!({ "owner": "gone", "timeout": 60, "wait": 50 }).to_string();
    let path = lock_path(&resource);
    let headers = [("Content-Type", "application/json")];
    assert!(replica.api.abandoned(&path, &headers, &body, Duration::from_millis(500)).await.is_none());
    let events = until(&mut listener, &resource, "left").await;
    assert_eq!(kinds(&events), ["granted", "queued", "left"]);
    assert_eq!(told(&events[2])["cause"], "hung_up");
    replica.api.release(&resource, token(&first)).await;
    assert_eq!(kinds(&until(&mut listener, &resource, "released").await), ["released"]);
}

#[tokio::test]
async fn holders_of_a_shared_lock_come_and_go_and_each_lease_ends_once() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feeds, resource) = ([feed(&redis.url()), feed(&redis.url())], name("shared"));
    let mut listener = listen(&feeds[0], None).await;
    let _other = listen(&feeds[1], None).await;
    let asked = |owner: &str, timeout: f64| json!({ "owner": owner, "timeout": timeout, "mode": "shared", "limit": 3 });
    let mut locks = Vec::new();
    for (owner, timeout) in [("a", 0.4), ("b", 60.0), ("c", 1.0)] {
        let lock = replica.api.acquire_with(&resource, &asked(owner, timeout), &[]).await;
        assert_eq!(lock.status, 200, "{}", lock.text);
        locks.push(lock.json());
    }
    let mut events = Vec::new();
    while events.len() < 5 {
        events.push(next(&mut listener, &resource).await);
    }
    assert_eq!(kinds(&events), ["granted", "granted", "granted", "expired", "expired"]);
    let json: Vec<_> = events.iter().map(told).collect();
    assert_eq!([&json[0]["mode"], &json[0]["permits"]], [&json!("shared"), &json!(1)]);
    assert_eq!([&json[3]["fence"], &json[4]["fence"]], [&locks[0]["fence"], &locks[2]["fence"]]);
    assert_eq!(json[3]["expiredAt"], locks[0]["expireAt"]);
    replica.api.release(&resource, token(&locks[1])).await;
    let last = next(&mut listener, &resource).await;
    assert_eq!((last.event.kind().as_str(), last.event.fence), ("released", locks[1]["fence"].as_u64()));
}

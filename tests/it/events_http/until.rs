//! Waiting until a lock is free or has changed.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Api, Replica, lock_path, name, token};

async fn until(api: &Api, resource: &str, query: &str) -> serde_json::Value {
    let answer = api.get(&format!("{}?{query}", lock_path(resource))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn waits(api: &Api, resource: &str, query: &str) -> tokio::task::JoinHandle<serde_json::Value> {
    let (api, resource, query) = (api.apart(), resource.to_string(), query.to_string());
    tokio::spawn(async move { until(&api, &resource, &query).await })
}

#[tokio::test]
async fn the_state_comes_when_the_lock_is_free_and_nothing_is_reserved() {
    let (api, resource) = (Replica::shared().await, name("until-free"));
    let state = until(&api, &resource, "until=free&wait=30").await;
    assert_eq!(state, json!({ "resource": resource, "held": false, "waiting": 0 }));
    let lock = api.granted(&resource, "me", 60).await;
    let begun = Instant::now();
    let state = until(&api, &resource, "until=free&wait=0.5").await;
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!((&state["held"], &state["fence"]), (&json!(true), &lock["fence"]), "200 with the state either way");
    assert_eq!(state["waiting"], 0, "it is not in the queue");
    let waiting = waits(&api, &resource, "until=free&wait=30");
    api.release(&resource, token(&lock)).await;
    assert_eq!(waiting.await.expect("an answer")["held"], false);
    assert_eq!(api.acquire(&resource, "other", 5).await.status, 200);
}

#[tokio::test]
async fn the_end_of_a_lease_is_noticed_too() {
    let (api, resource) = (Replica::shared().await, name("until-expired"));
    api.granted(&resource, "gone", 1).await;
    assert_eq!(until(&api, &resource, "until=free&wait=30").await["held"], false);
}

#[tokio::test]
async fn the_state_comes_when_another_grant_stands_or_none() {
    let (api, resource) = (Replica::shared().await, name("until-changed"));
    let first = api.granted(&resource, "one", 60).await;
    let state = until(&api, &resource, "until=changed&fence=0&wait=30").await;
    assert_eq!(state["fence"], first["fence"], "it is held already");
    let fence = format!("until=changed&fence={}", first["fence"]);
    assert_eq!(until(&api, &resource, &format!("{fence}&wait=0.3")).await["fence"], first["fence"]);
    let extended = api.extend(&resource, token(&first), 60).await.json();
    let (known, found) = (waits(&api, &resource, &fence), waits(&api, &resource, "until=changed"));
    // Both have looked when both count.
    tokio::time::sleep(Duration::from_millis(300)).await;
    api.release(&resource, token(&extended)).await;
    for waiting in [known, found] {
        assert_eq!(waiting.await.expect("an answer")["held"], false);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (api, resource) = (Replica::shared().await, name("until-wrong"));
    let path = lock_path(&resource);
    for (query, field) in
        [("until=never", "until"), ("until=free&wait=61", "wait"), ("wait=30", "wait"), ("fence=3&until=free", "fence")]
    {
        let answer = api.get(&format!("{path}?{query}")).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}: {answer:?}");
    }
    let token = [("Lock-Token", "00000000-0000-0000-0000-000000000000")];
    let answer = api.send(crate::harness::Method::GET, &format!("{path}?until=free"), &token, None).await;
    assert_eq!((answer.status, &answer.json()["field"]), (400, &json!("until")), "{answer:?}");
}

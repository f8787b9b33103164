//! Redis Cluster.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::json;

use crate::harness::{Cluster, Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn every_operation_reaches_the_node_of_its_resource_and_wakes_waiters_of_other_replicas() {
    let cluster = Cluster::start().await;
    let [one, other] = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    let resources: Vec<_> = (0..24).map(|_| name("slots")).collect();
    let mut listed = BTreeSet::new();
    for resource in &resources {
        let held = one.api.granted(resource, "first", 30).await;
        assert_eq!(other.api.acquire(resource, "second", 30).await.code(), "lock_held");
        let waiter = tokio::spawn({
            let (api, path) = (other.api.clone(), lock_path(resource));
            let body = json!({ "owner": "second", "timeout": 30, "wait": 20 }).to_string();
            async move { api.send(Method::POST, &path, &[("Idempotency-Key", "k")], Some(body)).await }
        });
        eventually("it waits", Duration::from_secs(5), || async { one.api.state(resource).await["waiting"] == 1 })
            .await;
        let extended = one.api.extend(resource, token(&held), 30).await.json();
        assert_eq!(other.api.release(resource, token(&extended)).await.status, 204);
        let answer = waiter.await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json()["fence"].as_u64() > held["fence"].as_u64());
        assert_eq!(one.api.status(resource, token(&answer.json())).await.status, 200);
        listed.insert(resource.as_str());
    }
    assert!(cluster.sizes().iter().all(|&keys| keys > 0), "{:?}", cluster.sizes());

    let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = one.api.get(&format!("/api/v1/locks?limit=5&cursor={cursor}")).await.json();
        let names = page["locks"].as_array().expect("a page").iter().map(|lock| lock["resource"].to_string());
        seen.extend(names.map(|name| name.trim_matches('"').to_string()));
        match page["cursor"].as_str() {
            Some(next) => cursor = next.into(),
            None => break,
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed);

    for resource in &resources {
        assert_eq!(one.api.break_lock(resource, &json!({}), &[]).await.status, 200);
    }
}

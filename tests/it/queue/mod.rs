//! Waiting for a lock: a fair queue over all replicas, woken by push.

mod ends_early;
mod faults;
mod gone;
mod handover;
mod limits;
mod order;
mod pieces;
mod replaced;
mod restarts;
mod soak;
mod urgent;
mod waited;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Answer, Api, Redis, eventually, lock_path};

/// Long for a handover on a busy machine.
pub const SOON: Duration = Duration::from_secs(2);

/// An acquire that waits, on a task of its own. Aborting it closes the connection, as a client that hangs up does.
pub fn waiter(api: &Api, resource: &str, owner: &str, wait: f64, key: Option<&str>) -> JoinHandle<Answer> {
    // Connections of its own: those of a pool would outlive the request.
    let (api, path) = (api.apart(), lock_path(resource));
    let body = json!({ "owner": owner, "timeout": 30, "wait": wait }).to_string();
    let key = key.map(String::from);
    tokio::spawn(async move {
        let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", key.as_str())).collect();
        api.send(Method::POST, &path, &headers, Some(body)).await
    })
}

/// A waiter that has joined the queue.
pub async fn queued(
    redis: &Redis,
    api: &Api,
    resource: &str,
    owner: &str,
    wait: f64,
    key: Option<&str>,
) -> JoinHandle<Answer> {
    let before = queue(redis, resource).len();
    let waiter = waiter(api, resource, owner, wait, key);
    eventually("it waits", SOON, || async { queue(redis, resource).len() > before }).await;
    waiter
}

/// The owners in the queue in their order, as `redis-cli` shows them.
pub fn queue(redis: &Redis, resource: &str) -> Vec<String> {
    let places = redis.cli(&["ZRANGE", &format!("gorilla:{{{resource}}}:queue"), "0", "-1"]);
    places.lines().filter_map(|place| place.splitn(3, ' ').nth(2).map(String::from)).collect()
}

fn lock_key(resource: &str) -> String {
    format!("gorilla:{{{resource}}}:lock")
}

/// The keys of a queue, which exist only while somebody waits.
fn queue_keys(redis: &Redis, resource: &str) -> String {
    redis.cli(&["KEYS", &format!("gorilla:{{{resource}}}:queue*")])
}

/// The lock that a waiter got.
pub async fn granted(waiter: JoinHandle<Answer>) -> Value {
    let answer = tokio::time::timeout(Duration::from_secs(10), waiter).await.expect("in time").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

//! Sets: several locks, all or none.

mod answers;
mod copies;
mod faults;
mod topologies;
mod waiting;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Answer, Api, Redis, eventually, name, token};

/// Long for a handover on a busy machine.
const SOON: Duration = Duration::from_secs(2);
/// How long a part of a set is held without being renewed, and what a busy machine may need to notice.
const HOLD_ENDS: Duration = Duration::from_millis(5000 + 1000);

/// Two names of this test, in ascending order.
fn two(test: &str) -> [String; 2] {
    let base = name(test);
    [format!("{base}-a"), format!("{base}-b")]
}

/// What a request for a set asks for.
fn body(names: &[&str], timeout: f64, wait: f64) -> Value {
    let resources: Vec<_> = names.iter().map(|name| json!({ "resource": name })).collect();
    json!({ "owner": "set", "timeout": timeout, "wait": wait, "resources": resources })
}

/// Asks for a set.
async fn ask(api: &Api, body: &Value, headers: &[(&str, &str)]) -> Answer {
    api.send(Method::POST, "/api/v1/locks", headers, Some(body.to_string())).await
}

/// Asks for a set, and expects success.
async fn granted(api: &Api, names: &[&str], timeout: f64, wait: f64) -> Value {
    all_granted(&ask(api, &body(names, timeout, wait), &[]).await)
}

/// Asserts that an answer grants a set; its body.
#[track_caller]
fn all_granted(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Asks for a set on a task of its own. Aborting it closes the connection, as a client that hangs up does.
fn asking(api: &Api, body: Value, key: Option<&str>) -> JoinHandle<Answer> {
    let (api, key) = (Api::at(&api.address), key.map(String::from));
    tokio::spawn(async move {
        let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", key.as_str())).collect();
        ask(&api, &body, &headers).await
    })
}

/// A set that waits for the last of its names, and holds all before it.
async fn waiting_for_last(
    redis: &Redis,
    api: &Api,
    names: &[&str],
    body: Value,
    key: Option<&str>,
) -> JoinHandle<Answer> {
    let asking = asking(api, body, key);
    let (last, held) = names.split_last().expect("names");
    eventually("it holds the others and waits for the last", SOON, || async {
        waits(redis, last) == 1 && held.iter().all(|name| is_held(redis, name))
    })
    .await;
    asking
}

/// The answer of a request on a task of its own.
async fn answer(asking: JoinHandle<Answer>) -> Answer {
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect("in time").expect("an answer")
}

/// Releases all locks of a set.
async fn release_all(api: &Api, set: &Value) {
    for lock in set["locks"].as_array().expect("locks") {
        let released = api.release(lock["resource"].as_str().expect("a name"), token(lock)).await;
        assert_eq!(released.status, 204, "{released:?}");
    }
}

/// The tokens of a set by the names of its resources.
fn tokens(set: &Value) -> Vec<(String, String)> {
    let locks = set["locks"].as_array().expect("locks").iter();
    let mut tokens: Vec<_> = locks.map(|lock| (lock["resource"].to_string(), token(lock).to_string())).collect();
    tokens.sort_unstable();
    tokens
}

fn key(resource: &str, what: &str) -> String {
    format!("gorilla:{{{resource}}}:{what}")
}

fn is_held(redis: &Redis, resource: &str) -> bool {
    redis.cli(&["EXISTS", &key(resource, "lock")]) == "1"
}

/// How many requests wait.
fn waits(redis: &Redis, resource: &str) -> usize {
    redis.cli(&["ZCARD", &key(resource, "queue")]).parse().expect("a number")
}

/// Milliseconds until the lease ends.
fn left(redis: &Redis, resource: &str) -> i64 {
    redis.cli(&["PTTL", &key(resource, "lock")]).parse().expect("a number")
}

/// Asserts that a resource is held under one id for longer than a part is held without being renewed, and only for a short
/// time at each moment.
async fn stays_a_part(redis: &Redis, resource: &str) -> String {
    let (id, begun) = (id_of(redis, resource), Instant::now());
    while begun.elapsed() < HOLD_ENDS {
        assert_eq!(id_of(redis, resource), id, "{resource} is held all the while");
        assert!((1..=5000).contains(&left(redis, resource)), "and only for a short time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    id
}

/// The id of the grant.
fn id_of(redis: &Redis, resource: &str) -> String {
    redis.cli(&["HGET", &key(resource, "lock"), "id"])
}

/// The keys of a resource but its fence, which stays for a day.
fn keys(redis: &Redis, resource: &str) -> Vec<String> {
    let keys = redis.cli(&["KEYS", &key(resource, "*")]);
    let fence = key(resource, "fence");
    keys.lines().filter(|key| !key.is_empty() && **key != fence).map(String::from).collect()
}

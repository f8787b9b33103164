//! Locks that several clients hold at once, over several replicas: who is let in, when, and how nobody is forgotten.

mod conversions;
mod counts;
mod grace;
mod leases;
mod limits;
mod lost;
mod order;
mod replicas;
mod upgrade;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    harness::{Answer, Api, Redis, Replica, eventually, lock_path, token},
    queue::{SOON, granted, queue},
};

/// What a client wants of a lock.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// To have it alone.
    Alone,
    /// To share it with others, however many.
    Reader,
    /// So many permits of so many.
    Of(u32, u32),
}

use Want::{Alone, Of, Reader};

impl Want {
    /// Adds to a body what is wanted.
    fn to(self, mut body: Value) -> Value {
        match self {
            Alone => body["mode"] = "exclusive".into(),
            Reader => body["mode"] = "shared".into(),
            Of(permits, limit) => {
                body["mode"] = "shared".into();
                body["permits"] = permits.into();
                body["limit"] = limit.into();
            }
        }
        body
    }
}

/// Asks for a lock without waiting for it, for so many seconds.
async fn ask(api: &Api, resource: &str, owner: &str, want: Want, lease: f64) -> Answer {
    api.acquire_with(resource, &want.to(json!({ "owner": owner, "timeout": lease })), &[]).await
}

/// The same, and expects that the lock is granted.
async fn held(api: &Api, resource: &str, owner: &str, want: Want) -> Value {
    let answer = ask(api, resource, owner, want, 30.0).await;
    assert_eq!(answer.status, 200, "{owner}: {answer:?}");
    answer.json()
}

/// Asks for a lock, and waits for it on a task of its own. Aborting the task closes the connection, as a client that hangs
/// up does.
fn waiter(api: &Api, resource: &str, owner: &str, want: Want, wait: f64) -> JoinHandle<Answer> {
    // Connections of its own: those of a pool would outlive the request.
    let (api, path) = (Api::at(&api.address), lock_path(resource));
    let body = want.to(json!({ "owner": owner, "timeout": 30, "wait": wait })).to_string();
    tokio::spawn(async move { api.send(Method::POST, &path, &[], Some(body)).await })
}

/// A waiter that has joined the queue.
async fn waits(redis: &Redis, api: &Api, resource: &str, owner: &str, want: Want) -> JoinHandle<Answer> {
    let before = queue(redis, resource).len();
    let waiter = waiter(api, resource, owner, want, 25.0);
    eventually("it waits", SOON, || async { queue(redis, resource).len() > before }).await;
    waiter
}

async fn released(api: &Api, resource: &str, lock: &Value) {
    let answer = api.release(resource, token(lock)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

async fn convert(api: &Api, resource: &str, lock: &Value, want: Want) -> Answer {
    let path = format!("{}/{}", lock_path(resource), token(lock));
    api.send(Method::PUT, &path, &[], Some(want.to(json!({ "timeout": 30 })).to_string())).await
}

/// A server of its own, and so many replicas.
async fn replicas(count: usize) -> (Redis, Vec<Replica>) {
    let redis = Redis::start(&["--appendonly", "no"]);
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(Replica::on(&redis).await);
    }
    (redis, replicas)
}

/// A field of the group's hash.
fn field(redis: &Redis, resource: &str, name: &str) -> String {
    redis.cli(&["HGET", &format!("gorilla:{{{resource}}}:lock"), name])
}

/// The keys of a resource beside its last fence, records, and the limit that others named, which expire by themselves.
fn keys(redis: &Redis, resource: &str) -> Vec<String> {
    let key = |what: &str| format!("gorilla:{{{resource}}}:{what}");
    let keys = redis.cli(&["KEYS", &key("*")]);
    let all = keys.lines().filter_map(|key| key.rsplit_once("}:").map(|(_, what)| what.to_string()));
    let stays = |what: &String| match what.as_str() {
        "limit" => redis.cli(&["GET", &key("limit")]).starts_with("pinned"),
        "fence" => false,
        what => !what.starts_with("request:"),
    };
    let mut stay: Vec<_> = all.filter(stays).collect();
    stay.sort_unstable();
    stay
}

//! What all replicas together do, as any of them tells it.

mod contention;
mod me;
mod parameters;
mod redis;
mod replicas;
mod rights;
mod sorted;
mod stats;

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Api, eventually};

/// A replica tells of itself every 5 s; a slow machine may let it do so later.
const TOLD: Duration = Duration::from_secs(40);

/// The answer to a look that must succeed.
async fn look(api: &Api, path: &str) -> Value {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// Looks until the answer is as it should be.
async fn becomes(api: &Api, path: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually(what, TOLD, || async { is_it(&look(api, path).await) }).await;
    look(api, path).await
}

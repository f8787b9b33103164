//! What all tests need: Redis servers, replicas, a client, and patience.

mod api;
mod cluster;
mod document;
mod process;
mod proxy;
mod redis;
mod replica;
mod security;
mod sentinel;
mod wall_clock;

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

pub use api::{Answer, Api, HangUp, lock_path, token};
pub use cluster::Cluster;
pub use process::Process;
pub use proxy::{Mode, Proxy};
pub use redis::Redis;
pub use replica::Replica;
pub use reqwest::Method;
pub use rustix::process::Signal;
pub use security::Security;
pub use sentinel::Sentinel;
pub use wall_clock::WallClock;

/// How long servers of Redis may take to agree at their start, or to replace a master, on a busy machine: a Cluster
/// that does not agree votes again only after four times its node timeout, and may have to vote more than once. The
/// time that Gorilla takes counts from then.
pub const ELECTION: Duration = Duration::from_secs(60);

/// The name of a resource that only this test uses, so that tests can share servers.
pub fn name(test: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{test}-{}", COUNT.fetch_add(1, Relaxed))
}

/// Repeats a check until it is true. Fails the test if it is not true within `limit`.
pub async fn eventually<F: Future<Output = bool>>(what: &str, limit: Duration, mut check: impl FnMut() -> F) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! Waits until something is true, and says how long that may take.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How long servers of Redis may take to agree at their start, or to replace a master, on a busy machine: a Cluster
/// that does not agree votes again only after four times its node timeout, and may have to vote more than once. The
/// time that Gorilla takes counts from then.
pub const ELECTION: Duration = Duration::from_secs(60);

/// Repeats a check until it is true. Fails the test if it is not true within `limit`.
pub async fn eventually<F: Future<Output = bool>>(what: &str, limit: Duration, mut check: impl FnMut() -> F) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! Work that takes the processor for a while, on a thread of its own: a replica serves with one thread by default.

use gorilla_domain::Failure;

/// Does the work, and lets other requests be served meanwhile.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::Broken(format!("what was done aside has failed: {error}")))
}

//! Replicas that serve HTTPS themselves.

mod clients;
mod handshakes;
mod reload;
mod served;

use crate::harness::{Authority, Redis, Replica};

/// A ready replica that serves HTTPS on the shared Redis, and the authority of its certificate.
pub async fn secure(settings: &[(&str, &str)]) -> (Replica, Authority) {
    let authority = Authority::new();
    authority.install(&authority.issue(&["127.0.0.1"]));
    (Replica::secure(&Redis::shared().url(), &authority, settings).await, authority)
}

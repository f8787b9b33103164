//! Handshakes of TLS that failed.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::table::Table;

/// Why a handshake failed.
#[derive(Clone, Copy, Debug)]
pub enum HandshakeFailed {
    /// The client spoke plain HTTP.
    PlainHttp,
    /// It took too long.
    TimedOut,
    /// Others needed its place, or the replica ends.
    GivenUp,
    /// The two could not agree: the client does not trust the certificate, say, or has hung up.
    Error,
}

/// Handshakes that failed.
#[derive(Debug)]
pub struct Handshakes(Table<Counter>);

impl Default for Handshakes {
    fn default() -> Self {
        let reasons = ["plain_http", "timed_out", "given_up", "error"].map(|reason| vec![("reason", reason)]);
        Self(Table::new(reasons, Counter::default))
    }
}

impl Handshakes {
    /// A handshake has failed.
    pub fn failed(&self, why: HandshakeFailed) {
        if let Some(count) = self.0.get(why as usize) {
            count.inc();
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("gorilla_tls_handshakes_failed", "TLS handshakes that failed", self.0.clone());
    }
}

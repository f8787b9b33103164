//! What a replica counts and measures. Everything that may be told apart is known at the start: a label is one of a few
//! names, never a resource, an owner or an address, so that the number of series never grows.
//!
//! What is only looked at when somebody asks (how many requests wait now, say) is in `serve::gauges`.

mod access;
mod audit;
mod fleet;
mod handshakes;
mod hot;
mod page;
mod redis;
mod requests;
mod shed;
mod table;

use std::sync::Arc;

use prometheus_client::{metrics::counter::Counter, registry::Registry};

pub use access::Authentication;
pub use fleet::Fleet;
pub use handshakes::HandshakeFailed;
pub use hot::Contended;
pub use page::{Format, Page};
pub use redis::{Cancelled, Redis};
pub use requests::{Requests, Waited};

/// All that a replica counts and measures.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests and operations.
    pub requests: Requests,
    /// What is asked of Redis.
    pub redis: Redis,
    /// API keys that requests had.
    pub access: access::Access,
    /// The audit file.
    pub audit: audit::Audit,
    /// What is refused under overload.
    pub shed: shed::Shed,
    /// What all other replicas are told.
    pub fleet: Fleet,
    /// Handshakes of TLS.
    pub handshakes: handshakes::Handshakes,
    /// Bugs that cost a request.
    pub panics: Counter,
}

impl Metrics {
    /// Nothing was counted yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Names all of them.
    pub fn register(&self, registry: &mut Registry) {
        self.requests.register(registry);
        self.redis.register(registry);
        self.access.register(registry);
        self.audit.register(registry);
        self.shed.register(registry);
        self.fleet.register(registry);
        self.handshakes.register(registry);
        registry.register("gorilla_panics", "Requests that met a bug in Gorilla", self.panics.clone());
    }
}

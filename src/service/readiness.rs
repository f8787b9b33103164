//! Whether load balancers should send requests to this replica.

use super::base::Service;

/// What a load balancer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Load balancers should send requests to this replica.
    Ready,
    /// The replica is about to end.
    Draining,
    /// Records must be kept, and can't be.
    AuditIsNot,
    /// The store does not take writes. Says why.
    StoreIsNot(String),
}

impl Service {
    /// Whether load balancers should send requests to this replica.
    pub async fn ready(&self) -> Readiness {
        if self.is_draining() {
            return Readiness::Draining;
        }
        if !self.keeps_records() {
            return Readiness::AuditIsNot;
        }
        self.store.ready().await.map_or_else(Readiness::StoreIsNot, |()| Readiness::Ready)
    }
}

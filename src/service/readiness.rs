//! Whether requests should be sent to this replica.

use super::base::Service;

/// What a load balancer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Requests should be sent here.
    Ready,
    /// The replica is about to end.
    Draining,
    /// The store does not take writes. Says why.
    StoreIsNot(String),
}

impl Service {
    /// Whether requests should be sent here.
    pub async fn ready(&self) -> Readiness {
        if self.is_draining() {
            return Readiness::Draining;
        }
        self.store.ready().await.map_or_else(Readiness::StoreIsNot, |()| Readiness::Ready)
    }
}

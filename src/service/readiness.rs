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
    /// The store does not take writes. Says why, if everybody may know that.
    StoreIsNot(Option<String>),
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
        // Without a connection there is nothing to ask, and what was seen before does not hold any more.
        let seen = match self.store.trouble() {
            Some(why) => self.last_look.or_known(why).await,
            None => self.last_look.or(self.store.ready()).await,
        };
        match seen {
            Ok(()) => Readiness::Ready,
            // Why is in the log. Who has no key need not know what Redis said.
            Err(why) => Readiness::StoreIsNot(Some(why).filter(|_| self.access.is_none())),
        }
    }
}

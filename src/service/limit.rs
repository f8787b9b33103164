//! Tell, pin and unpin the limit of a shared lock.

use gorilla_domain::{Limit, Permits, ResourceName, Verb};

use super::{base::Service, caller::Caller, refusal::Refusal};
use crate::store::LimitChange;

impl Service {
    /// The limit of a resource.
    pub async fn limit(&self, caller: &Caller, resource: &ResourceName) -> Result<Limit, Refusal> {
        self.permit(caller, Verb::Inspect, resource)?;
        Ok(self.store.limit(resource, LimitChange::None).await?)
    }

    /// Pins the limit of a resource. The audit log says which client did it.
    pub async fn pin_limit(&self, caller: &Caller, resource: &ResourceName, limit: Permits) -> Result<Limit, Refusal> {
        self.permit(caller, Verb::Limit, resource)?;
        let pinned = self.store.limit(resource, LimitChange::Pin(limit)).await?;
        audit(caller, "pin_limit", resource, pinned);
        Ok(pinned)
    }

    /// Unpins the limit of a resource. The audit log says which client did it.
    pub async fn unpin_limit(&self, caller: &Caller, resource: &ResourceName) -> Result<Limit, Refusal> {
        self.permit(caller, Verb::Limit, resource)?;
        let left = self.store.limit(resource, LimitChange::Unpin).await?;
        audit(caller, "unpin_limit", resource, left);
        Ok(left)
    }
}

fn audit(caller: &Caller, action: &str, resource: &ResourceName, limit: Limit) {
    tracing::warn!(
        target: "gorilla::audit",
        action,
        resource = resource.as_str(),
        limit = limit.limit,
        peer = %caller.peer,
        request_id = caller.request_id,
        "a limit was changed"
    );
}

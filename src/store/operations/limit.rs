//! Tells, pins and unpins the limit of a resource: `lua/limit.lua`.

use gorilla_domain::{Failure, Limit, Permits, ResourceName};

use crate::store::base::Store;

/// What becomes of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitChange {
    /// Nothing.
    None,
    /// It is pinned at so many permits.
    Pin(Permits),
    /// It is pinned no more.
    Unpin,
}

impl Store {
    /// Changes the limit of a resource, and tells what it is then.
    pub async fn limit(&self, resource: &ResourceName, change: LimitChange) -> Result<Limit, Failure> {
        let lock = self.keys.lock(resource);
        let (name, limit) = match change {
            LimitChange::None => (None, None),
            LimitChange::Pin(permits) => (Some("pin"), Some(permits.get())),
            LimitChange::Unpin => (Some("unpin"), None),
        };
        let reply = self.run(&lock, &gorilla_scripts::Limit { change: name, limit }).await?;
        Ok(Limit { limit: reply.limit, is_pinned: reply.is_pinned })
    }
}

//! Renew a lease.

use gorilla_domain::{Extend, Extended, Verb};

use super::{base::Service, caller::Caller, permission::permit_time, refusal::Refusal};

impl Service {
    /// Renews a lease, and replaces its token and its metadata as far as the caller wants.
    pub async fn extend(&self, caller: &Caller, asked: &Extend) -> Result<Extended, Refusal> {
        caller.permit(Verb::Extend, &asked.resource)?;
        if let Some(identity) = &caller.identity {
            permit_time(identity, "timeout", asked.lease.as_duration())?;
        }
        if asked.convert.is_some() {
            // A conversion is a new grant.
            caller.permit(Verb::Acquire, &asked.resource)?;
            // The new grant would not count: only an acquire is counted.
            if let Some(identity) = caller.identity.as_ref().filter(|identity| identity.role.quota.max_held.is_some()) {
                return Err(Refusal::NoConversion { identity: identity.name.clone() });
            }
        }
        Ok(self.store.extend(asked).await?)
    }
}

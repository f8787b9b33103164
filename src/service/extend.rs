//! Renew a lease.

use gorilla_domain::{Extend, Extended, Verb};

use super::{base::Service, caller::Caller, permission::permit_time, refusal::Refusal};
use crate::audit::Event;

impl Service {
    /// Renews a lease, and replaces its token and its metadata as far as the caller wants.
    pub async fn extend(&self, caller: &Caller, asked: &Extend) -> Result<Extended, Refusal> {
        self.permit(caller, Verb::Extend, &asked.resource)?;
        if let Some(identity) = &caller.identity {
            permit_time(identity, "timeout", asked.lease.as_duration())?;
        }
        if asked.convert.is_some() {
            // A conversion is a new grant.
            self.permit(caller, Verb::Acquire, &asked.resource)?;
            // The new grant would not count: only an acquire is counted.
            if let Some(identity) = caller.identity.as_ref().filter(|identity| identity.role.quota.max_held.is_some()) {
                return Err(Refusal::NoConversion { identity: identity.name.clone() });
            }
        }
        let (event, resource, token) = (Event::Extend, &asked.resource, &asked.token);
        let trail = match asked.convert {
            Some(_) => self.demand(caller, event, resource, Some(token))?,
            None => self.follow(caller, event, resource, token),
        };
        let extended = self.store.extend(asked, caller.name()).await.map_err(Refusal::from);
        if asked.convert.is_some() || asked.metadata.is_some() {
            self.watches.changed(&asked.resource);
        }
        if let Some(trail) = trail {
            trail.extended(&extended, asked.lease, asked.convert.as_ref());
        }
        let extended = extended?;
        if extended.is_loss()
            && let Some(broken) = Box::pin(self.past_break(caller, resource, token)).await
        {
            return Ok(Extended::AfterBreak(Box::new(extended), broken));
        }
        Ok(extended)
    }
}

//! Take a lock, or wait for it.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use gorilla_domain::{Acquire, Acquired, Lock, Release, ResourceName};

use super::{base::Service, caller::Caller, permission::permit_acquire, refusal::Refusal};
use crate::{audit::Event, metrics::Waited};

impl Service {
    /// Takes a lock if it is free, or waits for it. The acquire is undone if the caller is dropped before it learns the
    /// outcome, and if it may not take the lock any more when its turn comes.
    pub async fn acquire(&self, caller: &Caller, asked: &Arc<Acquire>) -> Result<Acquired, Refusal> {
        let permit = |caller: &Caller| permit_acquire(caller, asked);
        self.noted(caller, permit(caller))?;
        // A request that waits keeps the room for its record: when its turn comes, it would be too late to ask for it.
        let trail = self.demand(caller, Event::Grant, &asked.resource, None)?;
        let _waiting = self.wait(caller, asked.wait)?;
        let begun = (!asked.wait.is_zero()).then(Instant::now);
        let acquired =
            self.while_permitted(caller, !asked.wait.is_zero(), permit, pin!(self.store.acquire(asked))).await;
        if let Some(begun) = begun {
            let how = match &acquired {
                Ok(Acquired::Granted(_) | Acquired::Replayed(_)) => Waited::Granted,
                Ok(Acquired::Blocked(_)) => Waited::TimedOut,
                _ => Waited::Other,
            };
            let took = begun.elapsed();
            self.metrics.requests.waited(how, took);
            let (has_waited, is_granted) = match &acquired {
                Ok(Acquired::Granted(lock) | Acquired::Replayed(lock)) => (lock.waited.is_some(), true),
                Ok(Acquired::Blocked(_) | Acquired::Replaced | Acquired::Dismissed) => (true, false),
                _ => (false, false),
            };
            if has_waited {
                self.metrics.fleet.waited(asked.resource.as_str(), is_granted, took);
            }
        }
        self.watches.changed(&asked.resource);
        if let Ok(Acquired::Granted(lock)) = &acquired
            && lock.waited.is_some()
            && let Err(refusal) = self.grant_still(caller, permit)
        {
            let given_back = Box::pin(self.give_back(&asked.resource, lock)).await;
            if let Some(trail) = trail {
                trail.granted(if given_back.is_ok() { "undone" } else { "unknown" }, lock, asked.lease);
            }
            return given_back.and(Err(refusal));
        }
        if let Some(trail) = trail {
            trail.acquired(&acquired, asked.lease);
        }
        let acquired = acquired?;
        self.refuse_held(caller, &acquired)?;
        Ok(acquired)
    }

    /// Refuses a lock to a caller that has waited for it, if it may not have it any more, or if a record must be kept and
    /// can't be.
    pub(super) fn grant_still(
        &self,
        caller: &Caller,
        permit: impl Fn(&Caller) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.noted(caller, self.permit_still(caller, permit))?;
        if self.keeps_records() { Ok(()) } else { Err(Refusal::AuditUnavailable) }
    }

    /// Frees a lock that was granted to a caller that may not have it.
    pub(super) async fn give_back(&self, resource: &ResourceName, lock: &Lock) -> Result<(), Refusal> {
        let (resource, token) = (resource.clone(), lock.token.clone());
        self.store.release(&Release { resource, token, after: Duration::ZERO, once: None }).await?;
        Ok(())
    }
}

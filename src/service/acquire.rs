//! Take a lock, or wait for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gorilla_domain::{Acquire, Acquired, Lock, Release, ResourceName};

use super::{base::Service, caller::Caller, permission::permit_acquire, refusal::Refusal};
use crate::metrics::Waited;

impl Service {
    /// Takes a lock if it is free, or waits for it. The acquire is undone if the caller is dropped before it learns the
    /// outcome, and if it may not take the lock any more when its turn comes.
    pub async fn acquire(&self, caller: &Caller, asked: &Arc<Acquire>) -> Result<Acquired, Refusal> {
        let permit = |caller: &Caller| permit_acquire(caller, asked);
        permit(caller)?;
        let _waiting = self.wait(caller, asked.wait)?;
        let begun = (!asked.wait.is_zero()).then(Instant::now);
        let acquired = self.while_permitted(caller, permit, self.store.acquire(asked)).await;
        if let Some(begun) = begun {
            let how = match &acquired {
                Ok(Acquired::Granted(_) | Acquired::Replayed(_)) => Waited::Granted,
                Ok(Acquired::Blocked(_)) => Waited::TimedOut,
                _ => Waited::Other,
            };
            self.metrics.requests.waited(how, begun.elapsed());
        }
        let acquired = acquired?;
        self.refuse_held(caller, &acquired)?;
        if let Acquired::Granted(lock) = &acquired
            && lock.waited.is_some()
            && let Err(refusal) = self.permit_still(caller, permit)
        {
            Box::pin(self.give_back(&asked.resource, lock)).await?;
            return Err(refusal);
        }
        Ok(acquired)
    }

    /// Frees a lock that was granted to a caller that may not have it.
    pub(super) async fn give_back(&self, resource: &ResourceName, lock: &Lock) -> Result<(), Refusal> {
        let (resource, token) = (resource.clone(), lock.token.clone());
        self.store.release(&Release { resource, token, after: Duration::ZERO, once: None }).await?;
        Ok(())
    }
}

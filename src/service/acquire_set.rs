//! Take several locks, all or none, or wait for them.

use gorilla_domain::{AcquireSet, SetAcquired};

use super::{base::Service, caller::Caller, permission::permit_acquire, refusal::Refusal};

impl Service {
    /// Takes several locks, all or none, or waits for them. The acquire is undone if the caller is dropped before it learns
    /// the outcome, and if it may not take one of the locks any more.
    pub async fn acquire_set(&self, caller: &Caller, asked: &AcquireSet) -> Result<SetAcquired, Refusal> {
        let permit = |caller: &Caller| asked.parts().iter().try_for_each(|part| permit_acquire(caller, part));
        permit(caller)?;
        let _waiting = self.wait(caller, asked.wait())?;
        let acquired = self.while_permitted(caller, permit, self.store.acquire_set(asked)).await?;
        if let SetAcquired::Refused { by, .. } = &acquired {
            self.refuse_held(caller, by)?;
        }
        if let SetAcquired::Granted(set) = &acquired
            && let Err(refusal) = self.permit_still(caller, permit)
        {
            for (part, lock) in asked.parts().iter().zip(&set.locks) {
                self.give_back(&part.resource, lock).await?;
            }
            return Err(refusal);
        }
        Ok(acquired)
    }
}

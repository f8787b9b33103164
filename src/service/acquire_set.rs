//! Take several locks, all or none, or wait for them.

use gorilla_domain::{AcquireSet, Failure, SetAcquired};

use super::{base::Service, caller::Caller};

impl Service {
    /// Takes several locks, all or none, or waits for them. The acquire is undone if the caller is dropped before it learns
    /// the outcome.
    pub async fn acquire_set(&self, _: &Caller, asked: &AcquireSet) -> Result<SetAcquired, Failure> {
        self.store.acquire_set(asked).await
    }
}

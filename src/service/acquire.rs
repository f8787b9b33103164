//! Take a lock, or wait for it.

use std::sync::Arc;

use gorilla_domain::{Acquire, Acquired, Failure};

use super::{base::Service, caller::Caller};

impl Service {
    /// Takes a lock if it is free, or waits for it. The acquire is undone if the caller is dropped before it learns the
    /// outcome.
    pub async fn acquire(&self, _: &Caller, asked: &Arc<Acquire>) -> Result<Acquired, Failure> {
        self.store.acquire(asked).await
    }
}

//! Free a lock.

use gorilla_domain::{Failure, Release, Released};

use super::{base::Service, caller::Caller};

impl Service {
    /// Frees a lock by its token.
    pub async fn release(&self, _: &Caller, asked: &Release) -> Result<Released, Failure> {
        self.store.release(asked).await
    }
}

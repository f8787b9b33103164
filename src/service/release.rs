//! Free a lock.

use gorilla_domain::{Release, Released, Verb};

use super::{base::Service, caller::Caller, refusal::Refusal};

impl Service {
    /// Frees a lock by its token.
    pub async fn release(&self, caller: &Caller, asked: &Release) -> Result<Released, Refusal> {
        caller.permit(Verb::Release, &asked.resource)?;
        Ok(self.store.release(asked).await?)
    }
}

//! Tell a holder that is refused who broke its lock.

use gorilla_domain::{PastBreak, ResourceName, Token};

use super::{base::Service, caller::Caller};

impl Service {
    /// The break that ended the grant of a token. Whoever has the token may know when and why; who it was, only if the caller
    /// may look at the lock.
    pub(super) async fn past_break(
        &self,
        caller: &Caller,
        resource: &ResourceName,
        token: &Token,
    ) -> Option<PastBreak> {
        let broken = self.store.past_break(resource, token).await?;
        let by = broken.by.filter(|_| caller.may_inspect(resource));
        Some(PastBreak { by, ..broken })
    }
}

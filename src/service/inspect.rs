//! Look at a lock.

use gorilla_domain::{Failure, ResourceName, State, Token};

use super::{base::Service, caller::Caller};

impl Service {
    /// Who holds a lock, and whether `token` is its current one.
    pub async fn inspect(&self, _: &Caller, resource: &ResourceName, token: Option<&Token>) -> Result<State, Failure> {
        self.store.inspect(resource, token).await
    }
}

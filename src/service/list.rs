//! Look at all locks.

use gorilla_domain::{Failure, List, Page};

use super::{base::Service, caller::Caller};

impl Service {
    /// A page of the held locks that are asked for, and where the next page begins.
    pub async fn list(&self, _: &Caller, asked: &List) -> Result<Page, Failure> {
        self.store.list(asked).await
    }
}

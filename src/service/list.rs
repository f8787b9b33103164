//! Look at all locks.

use gorilla_domain::{Cursor, Failure, Page};

use super::{base::Service, caller::Caller};

impl Service {
    /// The held locks whose names begin with `prefix`, about `limit` of them, and where the next page begins.
    pub async fn list(&self, _: &Caller, prefix: &str, from: Cursor, limit: usize) -> Result<Page, Failure> {
        self.store.list(prefix, from, limit).await
    }
}

//! Renew a lease.

use gorilla_domain::{Extend, Extended, Failure};

use super::{base::Service, caller::Caller};

impl Service {
    /// Renews a lease, and replaces its token and its metadata as far as the caller wants.
    pub async fn extend(&self, _: &Caller, asked: &Extend) -> Result<Extended, Failure> {
        self.store.extend(asked).await
    }
}

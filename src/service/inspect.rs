//! Look at a lock.

use gorilla_domain::{Failure, Line, ResourceName, State, Status, Token};

use super::{base::Service, caller::Caller};

/// How many holders of a shared lock its public state tells.
const HOLDERS: u64 = 100;

impl Service {
    /// Who holds a lock.
    pub async fn inspect(&self, _: &Caller, resource: &ResourceName) -> Result<State, Failure> {
        self.store.inspect(resource, HOLDERS).await
    }

    /// The lock of the holder that has this token.
    pub async fn status(&self, _: &Caller, resource: &ResourceName, token: &Token) -> Result<Status, Failure> {
        self.store.status(resource, token).await
    }

    /// The requests that wait for a lock; at most so many are told.
    pub async fn queue(&self, _: &Caller, resource: &ResourceName, most: u64) -> Result<Line, Failure> {
        self.store.queue(resource, most).await
    }
}

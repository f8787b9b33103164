//! Look at a lock.

use gorilla_domain::{Line, ResourceName, State, Status, Token, Verb};

use super::{base::Service, caller::Caller, refusal::Refusal, watches::HOLDERS};

impl Service {
    /// Who holds a lock.
    pub async fn inspect(&self, caller: &Caller, resource: &ResourceName) -> Result<State, Refusal> {
        self.permit(caller, Verb::Inspect, resource)?;
        Ok(self.store.inspect(resource, HOLDERS).await?)
    }

    /// The lock of the holder that has this token.
    pub async fn status(&self, caller: &Caller, resource: &ResourceName, token: &Token) -> Result<Status, Refusal> {
        self.permit(caller, Verb::Inspect, resource)?;
        let status = self.store.status(resource, token).await?;
        if matches!(status, Status::Own(..)) {
            return Ok(status);
        }
        Ok(match self.past_break(caller, resource, token).await {
            Some(broken) => Status::AfterBreak(Box::new(status), broken),
            None => status,
        })
    }

    /// The requests that wait for a lock; at most so many are told.
    pub async fn queue(&self, caller: &Caller, resource: &ResourceName, most: u64) -> Result<Line, Refusal> {
        self.permit(caller, Verb::Inspect, resource)?;
        Ok(self.store.queue(resource, most).await?)
    }
}

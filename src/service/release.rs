//! Free a lock.

use gorilla_domain::{Release, Released, Verb};

use super::{base::Service, caller::Caller, refusal::Refusal};
use crate::audit::Event;

impl Service {
    /// Frees a lock by its token.
    pub async fn release(&self, caller: &Caller, asked: &Release) -> Result<Released, Refusal> {
        self.permit(caller, Verb::Release, &asked.resource)?;
        let trail = self.follow(caller, Event::Release, &asked.resource, &asked.token);
        let released = self.store.release(asked).await.map_err(Refusal::from);
        self.watches.changed(&asked.resource);
        if let Some(trail) = trail {
            trail.released(&released);
        }
        let released = released?;
        if released.is_loss()
            && let Some(broken) = Box::pin(self.past_break(caller, &asked.resource, &asked.token)).await
        {
            return Ok(Released::AfterBreak(Box::new(released), broken));
        }
        Ok(released)
    }
}

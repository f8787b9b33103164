//! End a lock whose holder is gone.

use gorilla_domain::{Break, Broken, Verb};

use super::{base::Service, caller::Caller, refusal::Refusal};
use crate::audit::Event;

impl Service {
    /// Ends a lock without its token, at once or after a grace. The log says which client broke the lock, whose lock it
    /// was, and why, and so does the audit file, if there is one.
    pub async fn break_lock(&self, caller: &Caller, asked: &Break) -> Result<Broken, Refusal> {
        self.permit(caller, Verb::Break, &asked.resource)?;
        let trail = self.demand(caller, Event::Break, &asked.resource, None)?;
        // What is told to listeners has no secrets, even where a reason has.
        let secrets = caller.secrets();
        let reason = asked.reason.as_deref().map(|reason| secrets.masked(reason));
        let broken = self.store.break_lock(asked, caller.name(), reason.as_deref()).await.map_err(Refusal::from);
        self.watches.changed(&asked.resource);
        if let Some(trail) = trail {
            trail.broken(&broken, asked.reason.as_deref()).await;
        }
        let broken = broken?;
        if let Broken::Broken(ended) = &broken {
            tracing::warn!(
                target: "gorilla::audit",
                action = "break",
                resource = asked.resource.as_str(),
                owner = ended.owner,
                fence = ended.fence,
                lock_id = ended.id,
                reason = asked.reason,
                ttl_ms = ended.left.map(|left| left.as_millis() as u64),
                peer = %caller.peer,
                request_id = caller.request_id,
                "a lock was broken"
            );
        }
        Ok(broken)
    }
}

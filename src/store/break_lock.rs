//! Break: `lua/break.lua`.

use std::sync::Arc;

use gorilla_scripts::{Break, BreakReply};

use super::{Store, confirm::Effect, protocol, record};
use crate::lock::{Broken, Ended, Failure, Once, ResourceName};

impl Store {
    /// Frees a lock without its token; if `fence` is given, only while that grant stands.
    pub async fn break_lock(
        self: &Arc<Self>,
        resource: &ResourceName,
        fence: Option<u64>,
        once: Option<&Once>,
    ) -> Result<Broken, Failure> {
        let lock = self.keys.lock(resource);
        let fence = fence.map(|fence| fence.to_string());
        let (request, print) = record(once);
        let ended = |gorilla_scripts::Ended { id, owner, fence }| Ended { id, owner, fence };
        let broken = match self.run(&lock, &Break { fence: fence.as_deref(), request, print }).await? {
            BreakReply::Broken { ended: grant, turn } => {
                self.police(&lock, turn);
                Broken::Broken(ended(grant))
            }
            BreakReply::Replayed(grant) => Broken::Replayed(ended(grant)),
            BreakReply::Missing => Broken::Missing,
            BreakReply::Changed(holder) => Broken::Changed(protocol::holder(holder)),
            BreakReply::Reused => Broken::KeyReused,
        };
        if let Broken::Broken(ended) | Broken::Replayed(ended) = &broken {
            self.confirmed(&lock, Effect::Broken(&ended.id)).await?;
        }
        Ok(broken)
    }
}

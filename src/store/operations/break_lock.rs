//! Frees a lock without its token: `lua/break.lua`.

use std::sync::Arc;

use gorilla_domain::{Break, Broken, Ended, Failure};
use gorilla_scripts::{BreakReply, SharedBreak};

use crate::store::{base::Store, durability::Effect, protocol};

impl Store {
    /// Frees a lock without its token. If a fence is given, only if the current grant has that fence.
    pub async fn break_lock(self: &Arc<Self>, asked: &Break) -> Result<Broken, Failure> {
        let lock = self.keys.lock(&asked.resource);
        let fence = asked.fence.map(|fence| fence.to_string());
        let (request, print) = protocol::record(asked.once.as_ref());
        let ended = |gorilla_scripts::Ended { id, owner, fence }| Ended { id, owner, fence };
        let call = gorilla_scripts::Break { fence: fence.as_deref(), request, print };
        let mut reply = self.run(&lock, &call).await?;
        let is_group = reply == BreakReply::Shared;
        if is_group {
            reply = self.run(&lock, &SharedBreak(call)).await?;
        }
        let broken = match reply {
            BreakReply::Broken { ended: grant, turn } => {
                self.watch_turn(&lock, turn);
                Broken::Broken(ended(grant))
            }
            BreakReply::Replayed(grant) => Broken::Replayed(ended(grant)),
            BreakReply::Missing => Broken::Missing,
            BreakReply::Changed(holder) => Broken::Changed(protocol::holder(holder)),
            BreakReply::Unnamed(group) => Broken::FenceRequired(protocol::group(group)),
            // `shared_break` doesn't reply so.
            BreakReply::Shared => Broken::Missing,
            BreakReply::Reused => Broken::KeyReused,
        };
        if let Broken::Broken(ended) | Broken::Replayed(ended) = &broken {
            let effect = if is_group { Effect::Left(&ended.id) } else { Effect::Broken(&ended.id) };
            self.confirmed(&lock, effect).await?;
        }
        Ok(broken)
    }
}

//! Frees a lock without its token: `lua/break.lua`.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Break, Broken, Ended, Failure};
use gorilla_scripts::{BreakReply, SharedBreak};

use crate::store::{base::Store, durability::Effect, protocol};

impl Store {
    /// Frees a lock without its token, at once or after a grace. If a fence is given, only if the current grant has that
    /// fence. `by` is the identity that breaks the lock, if there is one: listeners are told of it, and of the reason.
    pub async fn break_lock(
        self: &Arc<Self>,
        asked: &Break,
        by: Option<&str>,
        reason: Option<&str>,
    ) -> Result<Broken, Failure> {
        let lock = self.keys.lock(&asked.resource);
        let fence = asked.fence.map(|fence| fence.to_string());
        let (request, print) = protocol::record(asked.once.as_ref());
        let ended = |gorilla_scripts::Ended { id, owner, fence }, left: Option<u64>| Ended {
            id,
            owner,
            fence,
            left: left.map(Duration::from_millis),
        };
        let grace = Some(asked.grace.as_millis() as u64).filter(|grace| *grace > 0);
        let call = gorilla_scripts::Break { fence: fence.as_deref(), request, print, grace, by, reason };
        let mut reply = self.run(&lock, &call).await?;
        let is_group = reply == BreakReply::Shared;
        if is_group {
            reply = self.run(&lock, &SharedBreak(call)).await?;
        }
        let broken = match reply {
            BreakReply::Broken { ended: grant, turn } => {
                self.watch_turn(&lock, turn);
                Broken::Broken(ended(grant, None))
            }
            BreakReply::Breaking { ended: grant, ttl, look_in } => {
                self.watch_end(&lock, look_in);
                Broken::Broken(ended(grant, Some(ttl)))
            }
            BreakReply::Replayed { ended: grant, ttl } => Broken::Replayed(ended(grant, grace.map(|_| ttl))),
            BreakReply::Missing => Broken::Missing,
            BreakReply::Changed(holder) => Broken::Changed(protocol::holder(holder)),
            BreakReply::Unnamed(group) => Broken::FenceRequired(protocol::group(group)),
            // `shared_break` doesn't reply so.
            BreakReply::Shared => Broken::Missing,
            BreakReply::Reused => Broken::KeyReused,
        };
        if let Broken::Broken(ended) | Broken::Replayed(ended) = &broken {
            let effect = match ended.left {
                Some(left) if is_group && !left.is_zero() => Effect::Settled(&ended.id),
                _ if is_group => Effect::Left(&ended.id),
                Some(left) if !left.is_zero() => Effect::Breaking,
                _ => Effect::Broken(&ended.id),
            };
            self.confirmed(&lock, effect).await?;
        }
        Ok(broken)
    }
}

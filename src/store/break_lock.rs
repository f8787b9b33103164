//! Break: `lua/break.lua`.

use std::sync::Arc;

use super::{
    Store,
    confirm::Effect,
    reply::{Reply, unexpected},
};
use crate::lock::{Broken, Ended, Failure, Once, ResourceName};

impl Store {
    /// Frees a lock without its token; if `fence` is given, only while that grant stands.
    pub async fn break_lock(
        self: &Arc<Self>,
        resource: &ResourceName,
        fence: Option<u64>,
        once: Option<&Once>,
    ) -> Result<Broken, Failure> {
        let (queue_keys, request_key) = (self.keys.of_queue(resource), self.request_key(resource, once));
        let mut keys = vec![queue_keys.lock.as_str(), &queue_keys.queue, &queue_keys.turn];
        keys.extend(request_key.as_deref());
        let fence = fence.map(|fence| fence.to_string()).unwrap_or_default();
        let args = [fence.as_str(), Self::fingerprint(once), &self.window_ms];
        let (outcome, mut reply) = Reply::open(self.link.call(&self.scripts.break_lock, &keys, &args).await?)?;
        let ended = |reply: &mut Reply| -> Result<Ended, Failure> {
            Ok(Ended { id: reply.text()?, owner: reply.text()?, fence: reply.number()? })
        };
        let broken = match outcome.as_str() {
            "broken" => {
                let (ended, turn) = (ended(&mut reply)?, reply.number()?);
                self.police(queue_keys.clone(), turn);
                Broken::Broken(ended)
            }
            "replayed" => Broken::Replayed(ended(&mut reply)?),
            "missing" => Broken::Missing,
            "changed" => Broken::Changed(reply.holder()?),
            "reused" => Broken::KeyReused,
            other => return Err(unexpected(other)),
        };
        if let Broken::Broken(ended) | Broken::Replayed(ended) = &broken {
            self.confirmed(&queue_keys.lock, Effect::Broken(&ended.id)).await?;
        }
        Ok(broken)
    }
}

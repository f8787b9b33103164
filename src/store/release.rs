//! Release: `lua/release.lua`.

use std::sync::Arc;

use super::{
    Store,
    confirm::Effect,
    reply::{Reply, unexpected},
};
use crate::lock::{Failure, Once, Released, ResourceName, Token};

impl Store {
    /// Frees a lock by its token.
    pub async fn release(
        self: &Arc<Self>,
        resource: &ResourceName,
        token: &Token,
        once: Option<&Once>,
    ) -> Result<Released, Failure> {
        let (queue_keys, request_key) = (self.keys.of_queue(resource), self.request_key(resource, once));
        let mut keys = vec![queue_keys.lock.as_str(), &queue_keys.queue, &queue_keys.turn];
        keys.extend(request_key.as_deref());
        let args = [token.expose(), Self::fingerprint(once), &self.window_ms];
        let release = self.link.call(&self.scripts.release, &keys, &args);
        // `biased` polls in this order, so the release is on its way first.
        let (sent, ()) = tokio::join!(biased; release, async { self.lines.released(&queue_keys.queue) });
        let (outcome, mut reply) = Reply::open(sent?)?;
        let released = match outcome.as_str() {
            "released" => {
                self.police(queue_keys.clone(), reply.number()?);
                Released::Released
            }
            "replayed" => Released::Replayed,
            "missing" => Released::Missing,
            "mismatch" => Released::TokenMismatch,
            "reused" => Released::KeyReused,
            other => return Err(unexpected(other)),
        };
        if let Released::Released | Released::Replayed = released {
            self.confirmed(&queue_keys.lock, Effect::Released(token.expose())).await?;
        }
        Ok(released)
    }
}

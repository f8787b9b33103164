//! Break: `lua/break.lua`.

use super::{
    Store,
    reply::{Reply, unexpected},
};
use crate::lock::{Broken, Ended, Failure, Once, ResourceName};

impl Store {
    /// Frees a lock without its token; if `fence` is given, only while that grant stands.
    pub async fn break_lock(
        &self,
        resource: &ResourceName,
        fence: Option<u64>,
        once: Option<&Once>,
    ) -> Result<Broken, Failure> {
        let (lock_key, request_key) = self.lock_and_request(resource, once);
        let mut keys = vec![lock_key.as_str()];
        keys.extend(request_key.as_deref());
        let fence = fence.map(|fence| fence.to_string()).unwrap_or_default();
        let args = [fence.as_str(), Self::fingerprint(once), &self.window];
        let (outcome, mut reply) = Reply::open(self.link.call(&self.scripts.break_lock, &keys, &args).await?)?;
        let ended = |reply: &mut Reply| -> Result<Ended, Failure> {
            Ok(Ended { id: reply.text()?, owner: reply.text()?, fence: reply.number()? })
        };
        match outcome.as_str() {
            "broken" => Ok(Broken::Broken(ended(&mut reply)?)),
            "replayed" => Ok(Broken::Replayed(ended(&mut reply)?)),
            "missing" => Ok(Broken::Missing),
            "changed" => Ok(Broken::Changed(reply.holder()?)),
            "reused" => Ok(Broken::KeyReused),
            other => Err(unexpected(other)),
        }
    }
}

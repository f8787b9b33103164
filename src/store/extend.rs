//! Extend: `lua/extend.lua`.

use super::{
    Store,
    confirm::Effect,
    reply::{Reply, unexpected},
};
use crate::lock::{Extended, Failure, Lease, Lock, Once, ResourceName, Token};

/// What an extend asks for.
#[derive(Debug)]
pub struct Extend {
    /// Which lock.
    pub resource: ResourceName,
    /// The right to it.
    pub token: Token,
    /// For how long from now.
    pub lease: Lease,
    /// Given where the request may come again.
    pub once: Option<Once>,
}

impl Store {
    /// Renews a lease and replaces its token.
    pub async fn extend(&self, asked: Extend) -> Result<Extended, Failure> {
        let Extend { resource, token, lease, once } = asked;
        let (lock_key, fence_key) = (self.keys.lock(&resource), self.keys.fence(&resource));
        let request_key = self.request_key(&resource, once.as_ref());
        let new_token = Token::random();
        let mut keys = vec![lock_key.as_str(), &fence_key];
        keys.extend(request_key.as_deref());
        let args = [
            token.expose(),
            new_token.expose(),
            &lease.as_millis().to_string(),
            &self.fence_kept,
            Self::fingerprint(once.as_ref()),
            &self.window_ms,
        ];
        let (outcome, mut reply) = Reply::open(self.link.call(&self.scripts.extend, &keys, &args).await?)?;
        let lock = |reply: &mut Reply| -> Result<Lock, Failure> {
            Ok(Lock { token: Token::from_stored(reply.text()?), tenure: reply.tenure()? })
        };
        let extended = match outcome.as_str() {
            "extended" => Extended::Extended(lock(&mut reply)?),
            "replayed" => Extended::Replayed(lock(&mut reply)?),
            "missing" => Extended::Missing,
            "mismatch" => Extended::TokenMismatch(reply.holder()?),
            "shorter" => Extended::Shorter { ttl: reply.number()? },
            "gone" => Extended::Gone,
            "reused" => Extended::KeyReused,
            other => return Err(unexpected(other)),
        };
        if let Extended::Extended(lock) | Extended::Replayed(lock) = &extended {
            self.confirmed(&lock_key, Effect::Extended(lock.token.expose())).await?;
        }
        Ok(extended)
    }
}

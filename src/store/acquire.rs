//! Acquire: `lua/acquire.lua`.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    Store,
    cancel::Attempt,
    reply::{Reply, unexpected},
};
use crate::lock::{Acquired, Failure, Lease, Lock, Metadata, Once, Owner, ResourceName, Tenure, Token};

/// What an acquire asks for.
#[derive(Debug)]
pub struct Acquire {
    /// What to lock.
    pub resource: ResourceName,
    /// Who asks.
    pub owner: Owner,
    /// For how long.
    pub lease: Lease,
    /// What to keep with the lock.
    pub metadata: Metadata,
    /// Given where the request may come again.
    pub once: Option<Once>,
}

impl Store {
    /// Takes a lock if it is free. If nobody learns the outcome (no reply, or the caller is dropped while it waits),
    /// the lock is given back in the background.
    pub async fn acquire(self: &Arc<Self>, asked: Acquire) -> Result<Acquired, Failure> {
        let Acquire { resource, owner, lease, metadata, once } = asked;
        let id = Uuid::now_v7().to_string();
        let token = Token::random();
        let lock_key = self.keys.lock(&resource);
        let request_key = self.keys.request(&resource, once.as_ref().map_or(&id, |once| once.key.as_str()));
        let attempt = Attempt::begin(self, lock_key, request_key, id);
        let sent = self
            .link
            .call(
                &self.scripts.acquire,
                &[&attempt.lock_key, &self.keys.fence(&resource), &self.keys.queue(&resource), &attempt.request_key],
                &[
                    &attempt.id,
                    token.expose(),
                    owner.as_str(),
                    metadata.as_json().get(),
                    &lease.as_millis().to_string(),
                    &self.fence_kept,
                    Self::fingerprint(once.as_ref()),
                    &self.window,
                ],
            )
            .await;
        // A script that broke may have written before, so that too leaves the attempt to cancel itself.
        let (id, frame) = match sent {
            Err(failure @ (Failure::Unknown(_) | Failure::Broken(_))) => return Err(failure),
            certain => (attempt.answered(), certain?),
        };
        let (outcome, mut reply) = Reply::open(frame)?;
        let lock = |reply: &mut Reply, replayed: bool| -> Result<Lock, Failure> {
            let (fence, created) = (reply.number()?, reply.number()?);
            let (id, token, ttl) = match replayed {
                false => (id, token, lease.as_millis()),
                true => (reply.text()?, Token::from_stored(reply.text()?), reply.number()?),
            };
            let (owner, updated, expires) = (owner.into_string(), created, created + lease.as_millis() as i64);
            Ok(Lock { tenure: Tenure { id, owner, metadata, fence, created, updated, expires, ttl }, token })
        };
        match outcome.as_str() {
            "granted" => Ok(Acquired::Granted(lock(&mut reply, false)?)),
            "replayed" => Ok(Acquired::Replayed(lock(&mut reply, true)?)),
            "held" => Ok(Acquired::Held { holder: reply.holder()?, waiting: reply.number()? }),
            "gone" => Ok(Acquired::Gone),
            "reused" => Ok(Acquired::KeyReused),
            "cancelled" => Err(Failure::Unknown("the attempt was cancelled before it reached Redis".into())),
            other => Err(unexpected(other)),
        }
    }
}

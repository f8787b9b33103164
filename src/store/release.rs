//! Release: `lua/release.lua`.

use super::{
    Store,
    reply::{Reply, unexpected},
};
use crate::lock::{Failure, Once, Released, ResourceName, Token};

impl Store {
    /// Frees a lock by its token.
    pub async fn release(
        &self,
        resource: &ResourceName,
        token: &Token,
        once: Option<&Once>,
    ) -> Result<Released, Failure> {
        let (lock_key, request_key) = self.lock_and_request(resource, once);
        let mut keys = vec![lock_key.as_str()];
        keys.extend(request_key.as_deref());
        let args = [token.expose(), Self::fingerprint(once), &self.window];
        let (outcome, _) = Reply::open(self.link.call(&self.scripts.release, &keys, &args).await?)?;
        match outcome.as_str() {
            "released" => Ok(Released::Released),
            "replayed" => Ok(Released::Replayed),
            "missing" => Ok(Released::Missing),
            "mismatch" => Ok(Released::TokenMismatch),
            "reused" => Ok(Released::KeyReused),
            other => Err(unexpected(other)),
        }
    }
}

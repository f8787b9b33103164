//! Frees a lock by its token: `lua/release.lua`.

use std::sync::Arc;

use gorilla_domain::{Failure, Release, Released};
use gorilla_scripts::{ReleaseReply, Sibling};

use crate::store::{base::Store, durability::Effect, protocol};

impl Store {
    /// Frees a lock by its token.
    pub async fn release(self: &Arc<Self>, asked: &Release) -> Result<Released, Failure> {
        let Release { resource, token, once } = asked;
        let lock = self.keys.lock(resource);
        let queue = Sibling::Queue.key(&lock);
        let (request, print) = protocol::record(once.as_ref());
        let call = gorilla_scripts::Release { token: token.expose(), request, print };
        let release = self.run(&lock, &call);
        // `biased` polls in this order, so that the release is sent before the claim of the next waiter.
        let (released, ()) = tokio::join!(biased; release, async { self.waiters.released(&queue) });
        let released = match released? {
            ReleaseReply::Released { turn } => {
                self.watch_turn(&lock, turn);
                Released::Released
            }
            ReleaseReply::Replayed => Released::Replayed,
            ReleaseReply::Missing => Released::Missing,
            ReleaseReply::Mismatch => Released::TokenMismatch,
            ReleaseReply::Reused => Released::KeyReused,
        };
        if let Released::Released | Released::Replayed = released {
            self.confirmed(&lock, Effect::Released(token.expose())).await?;
        }
        Ok(released)
    }
}

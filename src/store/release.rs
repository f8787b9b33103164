//! Release: `lua/release.lua`.

use std::sync::Arc;

use gorilla_scripts::{Release, ReleaseReply, Sibling};

use super::{Store, confirm::Effect, record};
use crate::lock::{Failure, Once, Released, ResourceName, Token};

impl Store {
    /// Frees a lock by its token.
    pub async fn release(
        self: &Arc<Self>,
        resource: &ResourceName,
        token: &Token,
        once: Option<&Once>,
    ) -> Result<Released, Failure> {
        let lock = self.keys.lock(resource);
        let queue = Sibling::Queue.key(&lock);
        let (request, print) = record(once);
        let call = Release { token: token.expose(), request, print };
        let release = self.run(&lock, &call);
        // `biased` polls in this order, so the release is on its way first.
        let (released, ()) = tokio::join!(biased; release, async { self.lines.released(&queue) });
        let released = match released? {
            ReleaseReply::Released { turn } => {
                self.police(&lock, turn);
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

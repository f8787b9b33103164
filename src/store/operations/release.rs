//! Frees a lock by its token: `lua/release.lua`, and `lua/handover.lua` if a waiter of this replica comes next; or gives
//! it back for later: `lua/release_later.lua`.

use std::sync::Arc;

use gorilla_domain::{Failure, Once, Release, Released, Token};
use gorilla_scripts::{Handover, ReleaseLater, ReleaseReply};

use crate::store::{base::Store, durability::Effect, error::Error, protocol, waiting::Offer};

impl Store {
    /// Frees a lock by its token, at once or after a time.
    pub async fn release(self: &Arc<Self>, asked: &Release) -> Result<Released, Failure> {
        let Release { resource, token, after, once } = asked;
        let lock = self.keys.lock(resource);
        let shared = token.of_shared();
        let is_later = !after.is_zero();
        let offer = || self.waiters.releasing(&lock);
        let reply = match (shared, (shared.is_none() && !is_later).then(offer).flatten()) {
            (None, _) if is_later => self.release_later(&lock, asked).await?,
            (Some(holder), _) => self.release_shared(&lock, holder, asked).await?,
            (None, None) => self.run(&lock, &call(token, once.as_ref())).await?,
            (None, Some(offer)) => {
                // A task of its own, because the waiter must learn what became of its claim even if the client that
                // releases hangs up.
                let (store, lock, token, once) = (Arc::clone(self), lock.clone(), token.clone(), once.clone());
                let handover = tokio::spawn(async move { store.hand_over(&lock, &token, once.as_ref(), offer).await });
                handover.await.map_err(|error| Failure::Broken(format!("a handover failed: {error}")))??
            }
        };
        let released = match reply {
            ReleaseReply::Released { turn, created } => {
                match is_later {
                    true => self.watch_end(&lock, turn),
                    false => {
                        let held = self.metrics.redis.since(created);
                        self.metrics.fleet.held(resource.as_str(), held);
                        self.watch_turn(&lock, turn);
                    }
                }
                Released::Released
            }
            ReleaseReply::Replayed => Released::Replayed,
            ReleaseReply::Missing => Released::Missing,
            ReleaseReply::Mismatch => Released::TokenMismatch,
            ReleaseReply::Reused => Released::KeyReused,
        };
        if let Released::Released | Released::Replayed = released {
            self.confirmed(&lock, Effect::Released(token)).await?;
        }
        Ok(released)
    }

    /// Has a lock end after a time, under a token that nobody knows.
    async fn release_later(&self, lock: &str, asked: &Release) -> Result<ReleaseReply, Error> {
        let (request, print) = protocol::record(asked.once.as_ref());
        let (new_token, after) = (Token::random(), asked.after.as_millis() as u64);
        let (token, new_token) = (asked.token.expose(), new_token.expose());
        let call = ReleaseLater { token, new_token, after, request, print };
        self.run(lock, &call).await
    }

    /// Releases a lock and takes the claim of a waiter along, which is told what became of it.
    async fn hand_over(
        &self,
        lock: &str,
        token: &Token,
        once: Option<&Once>,
        offer: Offer,
    ) -> Result<ReleaseReply, Error> {
        let release = call(token, once);
        match self.run_handover(lock, &Handover { release, claim: offer.claim().call(&self.channel) }).await {
            Ok(reply) => {
                offer.tell(reply.claimed.map(Ok));
                Ok(reply.released)
            }
            // Out of memory Redis grants no locks, but frees them.
            Err(error) if error.is_out_of_memory() => {
                offer.tell(None);
                self.run(lock, &release).await
            }
            Err(error) => {
                offer.tell(Some(Err(error.clone())));
                Err(error)
            }
        }
    }
}

fn call<'a>(token: &'a Token, once: Option<&'a Once>) -> gorilla_scripts::Release<'a> {
    let (request, print) = protocol::record(once);
    gorilla_scripts::Release { token: token.expose(), request, print }
}

//! Watch a lock: wait until its state is news.

use std::{pin::pin, sync::Arc, time::Duration};

use gorilla_domain::{Failure, ResourceName, State, Verb};
use tokio::time::{Instant, sleep_until};

use super::{
    base::Service,
    caller::Caller,
    hastener::hasten,
    permission::permit_time,
    refusal::Refusal,
    watches::{HOLDERS, Look, Looks},
};

/// The state of a lock at the end of a wait for news.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The state, whether it is news or not.
    pub state: Arc<State>,
    /// How long the request had waited when the replica asked for this state. Times of the state that are left, such as
    /// the rest of a lease, count from then at the earliest: a client adds it to the moment when it sent the request.
    pub waited: Duration,
}

impl Service {
    /// Waits until the state of a lock is news, at most so long, and tells the state either way. It reserves nothing: the
    /// state may have changed again when the caller learns of it. Each state that `is_news` is shown was looked at after
    /// the request came, so news that came before is not missed, and no older state is taken for news.
    ///
    /// A change that comes through this replica is told at once, the end of a lease within some milliseconds, and any
    /// other change within 1.25 s, or at once if this replica reads the events of Redis anyway. Many requests that watch one lock cost
    /// Redis a look when each begins and ends, and a look a second for all of them together.
    ///
    /// The caller needs the right to inspect the lock, also at the end of the wait. A replica that is about to end tells
    /// the state at once.
    pub async fn watch(
        &self,
        caller: &Caller,
        resource: &ResourceName,
        wait: Duration,
        is_news: impl Fn(&State) -> bool,
    ) -> Result<Seen, Refusal> {
        let permit = |caller: &Caller| caller.permit(Verb::Inspect, resource).map_err(Refusal::from);
        self.noted(caller, permit(caller))?;
        if let Some(identity) = &caller.identity {
            permit_time(identity, "wait", wait)?;
        }
        let _waiting = self.wait(caller, wait)?;
        let came = Instant::now();
        // Watched before the first look, so that no change falls between the two.
        let looks = (!wait.is_zero()).then(|| self.watches.watch(&self.store, resource));
        if looks.is_some() && self.watches.begin_hastening() {
            tokio::spawn(hasten(Arc::clone(&self.watches), Arc::clone(&self.feed)));
        }
        let first = self.look(resource).await?;
        let looks = match looks {
            Some(looks) if !is_news(&first.state) => looks,
            _ => return Ok(Seen { state: first.state, waited: Duration::ZERO }),
        };
        looks.tell(&first);
        drop(first);
        let last = pin!(self.last_look(resource, looks, came, came + wait, is_news));
        let last = self.while_permitted(caller, true, permit, last).await?;
        Ok(Seen { state: last.state, waited: last.begun - came })
    }

    /// The first look that is news, or a look at the end of the wait.
    async fn last_look(
        &self,
        resource: &ResourceName,
        mut looks: Looks,
        came: Instant,
        until: Instant,
        is_news: impl Fn(&State) -> bool,
    ) -> Result<Look, Failure> {
        let news = tokio::select! {
            // A look that began before the request came may have seen what the request knows to be over.
            news = looks.news(came, is_news) => news,
            () = sleep_until(until) => None,
            () = self.watches.dismissed() => None,
        };
        match news {
            Some(look) => Ok(look),
            None => self.look(resource).await,
        }
    }

    async fn look(&self, resource: &ResourceName) -> Result<Look, Failure> {
        let begun = Instant::now();
        Ok(Look { begun, state: self.store.inspect(resource, HOLDERS).await?.into() })
    }

    /// Ends the waiting of all who watch locks, because the replica is about to end.
    pub fn dismiss_watchers(&self) {
        self.watches.dismiss();
    }
}

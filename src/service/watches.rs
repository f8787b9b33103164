//! The locks that are watched through this replica. Each of them is looked at by one task, for all requests that watch it,
//! at most once a second on average: at once when something says that it has changed, when its lease ends, and otherwise
//! after a second.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use gorilla_domain::{ResourceName, State};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

use crate::store::Store;

/// From one look at a lock to the next, on average.
const EVERY: Duration = Duration::from_secs(1);
/// The longest time, chosen at random, by which a look comes later, so that the looks of many locks spread.
const JITTER: Duration = Duration::from_millis(250);
/// Added to the end of a lease, so that its key has expired.
const MARGIN: Duration = Duration::from_millis(2);
/// How many holders of a shared lock a look tells.
pub(super) const HOLDERS: u64 = 100;

/// What a look at a lock saw.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// When the look began: what it saw was so then or later.
    pub begun: Instant,
    /// What it saw.
    pub state: Arc<State>,
}

/// The watched locks of a replica.
#[derive(Default)]
pub(super) struct Watches {
    locks: Mutex<HashMap<ResourceName, Arc<Watched>>>,
    /// How many these are, to be read without the mutex.
    count: AtomicUsize,
    /// Whether events are used to hasten the looks.
    is_hastened: AtomicBool,
    /// Whether nobody may watch any more.
    dismissed: watch::Sender<bool>,
}

/// A lock that is watched.
#[derive(Default)]
struct Watched {
    /// The newest look.
    newest: watch::Sender<Option<Look>>,
    /// A request that watches has looked itself.
    looked: Notify,
    /// Something says that the lock has changed.
    changed: Notify,
}

/// The looks at one lock, for a request that watches it.
pub(super) struct Looks {
    watched: Arc<Watched>,
    newest: watch::Receiver<Option<Look>>,
}

impl Looks {
    /// Tells the others what this request has seen itself.
    pub fn tell(&self, look: &Look) {
        self.watched.newest.send_if_modified(|newest| {
            let is_newer = newest.as_ref().is_none_or(|newest| newest.begun < look.begun);
            if is_newer {
                *newest = Some(look.clone());
            }
            is_newer
        });
        self.watched.looked.notify_one();
    }

    /// Waits for a look that began at this moment or later, and that is news.
    pub async fn news(&mut self, since: Instant, is_news: impl Fn(&State) -> bool) -> Option<Look> {
        let is_news = |look: &Look| look.begun >= since && is_news(&look.state);
        let news = self.newest.wait_for(|look| look.as_ref().is_some_and(is_news)).await;
        news.ok().and_then(|look| look.clone())
    }
}

impl Watches {
    /// Looks at a lock again and again, until the looks are dropped.
    pub fn watch(self: &Arc<Self>, store: &Arc<Store>, resource: &ResourceName) -> Looks {
        let mut locks = self.locks();
        if let Some(watched) = locks.get(resource) {
            return Looks { newest: watched.newest.subscribe(), watched: Arc::clone(watched) };
        }
        let watched = Arc::<Watched>::default();
        let looks = Looks { newest: watched.newest.subscribe(), watched: Arc::clone(&watched) };
        locks.insert(resource.clone(), Arc::clone(&watched));
        self.count.store(locks.len(), Relaxed);
        let (watches, store, resource) = (Arc::clone(self), Arc::clone(store), resource.clone());
        tokio::spawn(async move { watches.look_on(&store, &resource, &watched).await });
        looks
    }

    /// Notes that a lock may have changed, so that a look at it comes soon, if it is watched.
    pub fn changed(&self, resource: &ResourceName) {
        // Most requests come while nobody watches anything.
        if !self.is_watching() {
            return;
        }
        if let Some(watched) = self.locks().get(resource) {
            watched.changed.notify_one();
        }
    }

    /// Whether a lock is watched.
    pub fn is_watching(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Whether whoever asks is to begin to hasten the looks, because nobody does.
    pub fn begin_hastening(&self) -> bool {
        !self.is_hastened.swap(true, Relaxed)
    }

    /// Whether whoever hastens the looks is to go on. If not, the next who watches has another begin.
    pub fn go_on_hastening(&self) -> bool {
        let locks = self.locks();
        self.is_hastened.store(!locks.is_empty(), Relaxed);
        !locks.is_empty()
    }

    /// Ends the waiting of all who watch, because the replica is about to end.
    pub fn dismiss(&self) {
        self.dismissed.send_replace(true);
    }

    /// Completes when the replica is about to end.
    pub async fn dismissed(&self) {
        // The sender lives as long as `self`.
        let _ = self.dismissed.subscribe().wait_for(|dismissed| *dismissed).await;
    }

    async fn look_on(&self, store: &Store, resource: &ResourceName, watched: &Watched) {
        // When the next look is due. A look that comes earlier, by a second at most, puts off the next by a second.
        let mut due = Instant::now() + EVERY;
        loop {
            let early = due - EVERY;
            let end = watched.newest.borrow().as_ref().and_then(end_of_lease);
            let at = end.map_or(due, |end| due.min(end.max(early)));
            let jitter = if at == due { JITTER.mul_f64(fastrand::f64()) } else { Duration::ZERO };
            tokio::select! {
                () = watched.newest.closed() => match self.forget(resource, watched) {
                    true => return,
                    false => continue,
                },
                () = watched.looked.notified() => continue,
                () = sleep_until(at + jitter) => {}
                () = watched.changed.notified() => sleep_until(early).await,
            }
            let begun = Instant::now();
            due = due.max(begun) + EVERY;
            // Where Redis can't be asked, the next look may work. Each request that watches asks itself at its end.
            if let Ok(state) = store.inspect(resource, HOLDERS).await {
                watched.newest.send_replace(Some(Look { begun, state: state.into() }));
            }
        }
    }

    /// Takes a lock out that nobody watches any more. Returns whether that is so.
    fn forget(&self, resource: &ResourceName, watched: &Watched) -> bool {
        let mut locks = self.locks();
        let is_over = watched.newest.is_closed();
        if is_over {
            locks.remove(resource);
            self.count.store(locks.len(), Relaxed);
        }
        is_over
    }

    fn locks(&self) -> MutexGuard<'_, HashMap<ResourceName, Arc<Watched>>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the lease ends that a look saw, or the last lease of a group.
fn end_of_lease(seen: &Look) -> Option<Instant> {
    let tenure = match &*seen.state {
        State::Held { tenure, .. } => tenure,
        State::Shared { holders, .. } => &holders.first()?.tenure,
        State::Free { .. } => return None,
    };
    // Counted from the beginning of the look, it would come too early.
    Some(seen.begun + tenure.ttl + MARGIN)
}

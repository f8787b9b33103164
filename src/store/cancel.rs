//! Cancels an acquire whose outcome nobody learns: `lua/cancel.lua`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use tracing::{info, warn};

use super::{Store, reply::Reply};
use crate::lock::Failure;

/// Between two attempts to reach Redis.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// After this long the acquire's own lease is left to do the work.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The cancellations under way, so that a draining replica can wait for them.
#[derive(Clone, Default)]
pub struct Cancellations {
    inner: Arc<(AtomicUsize, Notify)>,
}

impl Cancellations {
    /// Waits until none is under way.
    pub async fn finished(&self) {
        let (count, ended) = &*self.inner;
        loop {
            let notified = ended.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if count.load(Relaxed) == 0 {
                return;
            }
            notified.await;
        }
    }

    fn begin(&self) -> Cancellation {
        self.inner.0.fetch_add(1, Relaxed);
        Cancellation { all: self.clone() }
    }
}

struct Cancellation {
    all: Cancellations,
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        self.all.inner.0.fetch_sub(1, Relaxed);
        self.all.inner.1.notify_waiters();
    }
}

/// An acquire that has been sent or is about to be. Dropped without an answer, it cancels itself.
pub(super) struct Attempt {
    store: Arc<Store>,
    /// The key of the lock.
    pub lock_key: String,
    /// The key of the request record that the acquire uses.
    pub request_key: String,
    /// The id of the tenure that it would begin.
    pub id: String,
    answered: bool,
}

impl Attempt {
    pub fn begin(store: &Arc<Store>, lock_key: String, request_key: String, id: String) -> Self {
        Self { store: Arc::clone(store), lock_key, request_key, id, answered: false }
    }

    /// The outcome is known; gives the id back.
    pub fn answered(mut self) -> String {
        self.answered = true;
        std::mem::take(&mut self.id)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and the lease ends the lock.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.answered {
            return;
        }
        let store = Arc::clone(&self.store);
        let [lock_key, request_key, id] = [&mut self.lock_key, &mut self.request_key, &mut self.id].map(std::mem::take);
        let cancellation = store.cancellations.begin();
        runtime.spawn(async move {
            store.cancel(&lock_key, &request_key, &id).await;
            drop(cancellation);
        });
    }
}

impl Store {
    /// Repeats until Redis has confirmed it.
    async fn cancel(&self, lock_key: &str, request_key: &str, id: &str) {
        let begun = Instant::now();
        loop {
            let (keys, args) = ([lock_key, request_key], [id, &self.window]);
            match self.link.call_uncounted(&self.scripts.cancel, &keys, &args).await.and_then(Reply::open) {
                Ok((outcome, _)) => {
                    info!(id, outcome, "cancelled an acquire that nobody learnt the outcome of");
                    return;
                }
                // Repeating it does not mend a server that needs a person.
                Err(failure) if begun.elapsed() > GIVE_UP || matches!(failure, Failure::Broken(_)) => {
                    warn!(id, ?failure, "could not cancel an acquire; if it took the lock, its lease ends it");
                    return;
                }
                Err(_) => tokio::time::sleep(RETRY_DELAY).await,
            }
        }
    }
}

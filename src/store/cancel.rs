//! Cancels an acquire whose outcome nobody learns: `lua/cancel.lua`.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use tracing::{info, warn};

use gorilla_scripts::{Cancel, CancelReply};

use super::Store;
use crate::lock::{Failure, Owner};

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
    pub lock: String,
    /// The name of the record that the acquire uses.
    pub request: String,
    /// The id of the tenure that it would begin.
    pub id: String,
    owner: Owner,
    waits: AtomicBool,
    /// When the first of its calls that were not answered was given up.
    in_doubt: OnceLock<Instant>,
    answered: AtomicBool,
}

impl Attempt {
    pub fn begin(store: &Arc<Store>, lock: String, request: String, id: String, owner: Owner) -> Self {
        let ([waits, answered], in_doubt) = ([const { AtomicBool::new(false) }; 2], OnceLock::new());
        Self { store: Arc::clone(store), lock, request, id, owner, waits, in_doubt, answered }
    }

    /// It has joined the queue.
    pub fn waits(&self) {
        self.waits.store(true, Relaxed);
    }

    /// Whether it has joined the queue.
    pub fn has_waited(&self) -> bool {
        self.waits.load(Relaxed)
    }

    /// One of its calls was not answered: it may still arrive, also after a later one was answered.
    pub fn doubts(&self) {
        self.in_doubt.get_or_init(Instant::now);
    }

    /// Whether one of its calls may still arrive.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt.get().is_some()
    }

    /// Whether one of its calls was lost so long ago that its record, kept for `window` from a grant, may have lapsed.
    pub fn doubt_outlasts(&self, window: Duration) -> bool {
        // The call was sent the time-out of a command before it was given up.
        self.in_doubt.get().is_some_and(|since| since.elapsed() + self.store.command_timeout >= window)
    }

    /// Undoes it at once, if Redis can be reached.
    pub async fn undo(&self) -> Result<CancelReply, Failure> {
        let Self { store, lock, request, id, owner, .. } = self;
        store.cancel_once(lock, request, id, owner).await
    }

    /// The outcome is known.
    pub fn answered(&self) {
        self.answered.store(true, Relaxed);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and the lease ends the lock.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if *self.answered.get_mut() {
            return;
        }
        let (store, owner) = (Arc::clone(&self.store), self.owner.clone());
        let [lock, request, id] = [&mut self.lock, &mut self.request, &mut self.id].map(std::mem::take);
        let cancellation = store.cancellations.begin();
        runtime.spawn(async move {
            store.cancel(&lock, &request, &id, &owner).await;
            drop(cancellation);
        });
    }
}

impl Store {
    async fn cancel_once(
        self: &Arc<Self>,
        lock: &str,
        request: &str,
        id: &str,
        owner: &Owner,
    ) -> Result<CancelReply, Failure> {
        let call = Cancel { id, owner: owner.as_str(), channel: &self.channel, request };
        let reply = self.run_uncounted(lock, &call).await?;
        let (CancelReply::Released { turn } | CancelReply::Marked { turn } | CancelReply::Kept { turn }) = reply;
        self.police(lock, turn);
        Ok(reply)
    }

    /// Repeats until Redis has confirmed it.
    async fn cancel(self: &Arc<Self>, lock: &str, request: &str, id: &str, owner: &Owner) {
        let begun = Instant::now();
        loop {
            match self.cancel_once(lock, request, id, owner).await {
                Ok(reply) => {
                    let outcome = match reply {
                        CancelReply::Released { .. } => "released",
                        CancelReply::Marked { .. } => "marked",
                        CancelReply::Kept { .. } => "kept",
                    };
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

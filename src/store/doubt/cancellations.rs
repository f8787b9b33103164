//! The cancellations under way, which a draining replica waits for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// The cancellations under way, so that a draining replica can wait for them.
#[derive(Clone, Default)]
pub struct Cancellations {
    inner: Arc<(AtomicUsize, Notify)>,
}

impl Cancellations {
    /// Waits until no cancellation is under way.
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

    /// How many there are.
    pub fn pending(&self) -> usize {
        self.inner.0.load(Relaxed)
    }

    /// Counts a cancellation until the value is dropped.
    pub fn begin(&self) -> Cancellation {
        self.inner.0.fetch_add(1, Relaxed);
        Cancellation { all: self.clone() }
    }
}

/// A cancellation under way.
pub struct Cancellation {
    all: Cancellations,
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        self.all.inner.0.fetch_sub(1, Relaxed);
        self.all.inner.1.notify_waiters();
    }
}

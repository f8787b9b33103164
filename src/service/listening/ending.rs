//! When listeners are told that the replica is about to end: not all at the same moment, because they would all come to
//! the other replicas at that moment.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

/// Tells listeners by when they must have gone.
#[derive(Debug)]
pub struct Ends(watch::Sender<Option<Instant>>);

/// What a listener is told by it.
#[derive(Debug)]
pub struct Ending(watch::Receiver<Option<Instant>>);

impl Default for Ends {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Ends {
    /// All listeners end within this time. A later call counts instead of an earlier one.
    pub fn within(&self, time: Duration) {
        self.0.send_replace(Some(Instant::now() + time));
    }

    /// For a new listener.
    pub fn subscribe(&self) -> Ending {
        let mut ending = self.0.subscribe();
        ending.mark_changed();
        Ending(ending)
    }
}

impl Ending {
    /// If the replica is about to end, and the listener does not know it yet: when the listener ends, at random.
    pub fn news(&mut self) -> Option<Instant> {
        // An error means that the service is gone, which outlives its listeners.
        if !self.0.has_changed().unwrap_or(false) {
            return None;
        }
        let last = (*self.0.borrow_and_update())?;
        let now = Instant::now();
        Some(now + last.saturating_duration_since(now).mul_f64(fastrand::f64()))
    }

    /// Waits until there is news.
    pub async fn changed(&mut self) {
        match self.0.changed().await {
            Ok(()) => self.0.mark_changed(),
            Err(_) => std::future::pending().await,
        }
    }
}

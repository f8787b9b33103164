//! What a client tells while it asks for a lock and holds it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::error::Busy;

/// What happens while a request waits, and while its lock is held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Another client has the lock.
    Waiting(Busy),
    /// The server can't be reached or can't serve. The client asks again.
    Trouble(String),
    /// A renewal has the same trouble. As long as the lock is not lost, it costs nothing.
    RenewalTrouble(String),
}

/// Whom to tell.
#[derive(Clone)]
pub struct Report(Arc<Mutex<dyn FnMut(Progress) + Send>>);

impl Report {
    pub fn to(report: impl FnMut(Progress) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(report)))
    }

    pub fn nobody() -> Self {
        Self::to(|_| {})
    }

    pub fn tell(&self, progress: Progress) {
        // If it panicked before, it may be called again: it is not this crate's state that is half done.
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report(progress);
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Report")
    }
}

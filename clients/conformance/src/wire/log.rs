//! Every request that a server of the runner got.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use super::{http::Request, operation::Operation};

/// A request, and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Instant,
    pub request: Request,
    pub operation: Operation,
    /// The status of the answer, if one was sent to its end.
    pub status: Option<u16>,
    /// When the answer was sent, or the connection was closed by either side.
    pub done: Option<Instant>,
}

/// The log of one scenario.
pub struct WireLog {
    entries: Mutex<Vec<Entry>>,
    changed: watch::Sender<()>,
}

impl WireLog {
    pub fn new() -> Self {
        Self { entries: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// Adds a request, and returns its number.
    pub fn add(&self, request: &Request, operation: &Operation) -> usize {
        let mut entries = self.lock();
        let (request, operation) = (request.clone(), operation.clone());
        entries.push(Entry { at: Instant::now(), request, operation, status: None, done: None });
        self.changed.send_replace(());
        entries.len() - 1
    }

    /// Notes what became of a request.
    pub fn done(&self, number: usize, status: Option<u16>) {
        if let Some(entry) = self.lock().get_mut(number) {
            (entry.status, entry.done) = (status, Some(Instant::now()));
        }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// Tells when requests come.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

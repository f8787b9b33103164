//! The service of a replica.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::store::Store;

/// The use cases, for every interface.
pub struct Service {
    pub(super) store: Arc<Store>,
    draining: AtomicBool,
}

impl Service {
    /// Makes the service over a store.
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { store, draining: AtomicBool::new(false) })
    }

    /// The replica is about to end. From now on it is not ready, and closes connections after their answer.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether the replica is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

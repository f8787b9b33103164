//! The service of a replica.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gorilla_wire::Right;

use super::{
    census::Census, last_look::LastLook, listening::Ends, load::Load, room::Room, told::Fleet, voice::Voice,
    watches::Watches,
};
use crate::{
    access::{Current, Usages},
    audit::Audit,
    events::Feed,
    metrics::Metrics,
    settings::Settings,
    store::Store,
};

/// The use cases, for every interface.
pub struct Service {
    pub(super) store: Arc<Store>,
    /// What happens to locks.
    pub(super) feed: Arc<Feed>,
    pub(super) room: Room,
    /// What API keys allow. Nothing if everybody may do everything.
    pub(super) access: Option<Arc<Current>>,
    pub(super) usages: Usages,
    /// Where records of what is done go. Nothing if none are made.
    pub(super) audit: Option<Arc<Audit>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) last_look: LastLook,
    pub(super) watches: Arc<Watches>,
    pub(super) ends: Ends,
    pub(super) settings: Arc<Settings>,
    /// What this replica tells of itself.
    pub(super) voice: Voice,
    /// What all replicas have told.
    pub(super) fleet: Fleet,
    /// What was seen of all locks.
    pub(super) census: Arc<Census>,
    load: Load,
    draining: AtomicBool,
}

impl Service {
    /// Makes the service over a store. `access` says what API keys allow, if this replica demands keys; `audit` is where
    /// records of what is done go, if any are made.
    pub fn new(
        store: Arc<Store>,
        access: Option<Arc<Current>>,
        audit: Option<Arc<Audit>>,
        metrics: Arc<Metrics>,
        settings: &Arc<Settings>,
    ) -> Arc<Self> {
        let max_in_flight = settings.limits.max_in_flight;
        let room = Room::of_batches(max_in_flight);
        Arc::new(Self {
            feed: Feed::new(Arc::clone(&store)),
            settings: Arc::clone(settings),
            voice: Voice::default(),
            fleet: Fleet::default(),
            census: Census::new(Arc::clone(&store)),
            store,
            room,
            access,
            usages: Usages::default(),
            audit,
            load: Load::new(max_in_flight, Arc::clone(&metrics)),
            metrics,
            last_look: LastLook::default(),
            watches: Arc::default(),
            ends: Ends::default(),
            draining: AtomicBool::new(false),
        })
    }

    /// Whether the replica has too much to do for an operation with this right.
    pub fn is_too_much(&self, right: Right) -> bool {
        self.load.is_too_much(right, self.store.in_flight())
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

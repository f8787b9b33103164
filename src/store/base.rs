//! The store of a replica: all that its operations share.

use std::{sync::Arc, time::Duration};

use gorilla_scripts::{Constants, Keys, Scripts};
use uuid::Uuid;

use super::{
    doubt::Cancellations,
    durability::Recovery,
    link::{Link, RequiredAcks},
    link_events::LinkEvents,
    waiting::{Waiters, WatchedQueues},
};
use crate::settings::Settings;

/// How long the last fence is kept after a grant, for the time in which the clock may have stepped back.
const FENCE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a place in a queue is kept for a client that went away and may come back with its Idempotency-Key.
const PLACE_KEPT: Duration = Duration::from_secs(10);
/// What an attempt may take beyond its wait, clocks that differ included.
const SLACK: Duration = Duration::from_secs(60);

/// The locks.
pub struct Store {
    pub(super) link: Arc<Link>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) watched: WatchedQueues,
    /// By which this replica's waiters are woken.
    pub(super) channel: String,
    pub(super) scripts: Arc<Scripts>,
    pub(super) keys: Keys,
    pub(super) cancellations: Cancellations,
    pub(super) recovery: Option<Arc<Recovery>>,
    /// How many replicas of Redis confirm a success.
    pub(super) replicas_wanted: u32,
    pub(super) clustered: bool,
    /// How long what became of a request is kept.
    pub(super) window: Duration,
    /// How long a command may take.
    pub(super) command_timeout: Duration,
}

impl Store {
    /// Begins to connect to Redis; returns at once, also where there is none.
    pub fn open(settings: &Settings) -> Arc<Self> {
        let keys = Keys::new(&settings.redis.key_prefix.0);
        let replica = Uuid::new_v4().simple().to_string();
        let (channel, waiters) = (keys.channel(&replica[..12]), Arc::<Waiters>::default());
        let scripts = Arc::new(Scripts::new(&Constants {
            grace: settings.redis.failover_grace,
            window: settings.idempotency_window,
            fence_kept: FENCE_KEPT,
            place_kept: PLACE_KEPT,
            longest_attempt: settings.limits.max_wait + SLACK,
            room: settings.limits.max_waiters,
        }));
        let recovery = Recovery::new(&settings.redis, &keys, &scripts);
        let events = LinkEvents { waiters: Arc::clone(&waiters), recovery: recovery.clone() };
        let replicas_wanted = settings.redis.min_replicas_ack;
        let required_acks = RequiredAcks {
            replicas: replicas_wanted,
            // So that there is time to undo what was not confirmed.
            patience: settings.redis.command_timeout / 2,
        };
        Arc::new(Self {
            link: Link::open(
                settings.redis.clone(),
                settings.limits.max_in_flight,
                channel.clone(),
                (replicas_wanted > 0).then_some(required_acks),
                Arc::new(events),
            ),
            waiters,
            watched: WatchedQueues::default(),
            channel,
            scripts,
            keys,
            cancellations: Cancellations::default(),
            recovery,
            replicas_wanted,
            clustered: settings.redis.url.is_cluster(),
            window: settings.idempotency_window,
            command_timeout: settings.redis.command_timeout,
        })
    }

    /// Waits until the first attempt to reach Redis has succeeded or failed.
    pub async fn tried(&self) {
        self.link.tried().await;
    }

    /// The cancellations under way.
    pub fn cancellations(&self) -> &Cancellations {
        &self.cancellations
    }

    /// The replica is about to end: whoever waits is answered.
    pub fn dismiss_waiters(&self) {
        self.waiters.dismiss();
    }
}

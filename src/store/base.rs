//! The store of a replica: all that its operations share.

use std::{sync::Arc, time::Duration};

use gorilla_scripts::{Constants, Keys, Recording, Scripts};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    doubt::Cancellations,
    durability::Recovery,
    events::EntriesAge,
    link::{Link, RequiredAcks},
    link_events::LinkEvents,
    waiting::{Waiters, WatchedQueues},
};
use crate::{
    metrics::Metrics,
    settings::{Record, Settings},
};

/// How long Redis keeps the last fence after a grant and after an extend, in case its clock steps back meanwhile. After one of
/// many renewals in one step it may be an hour less (lua/renew.lua).
const FENCE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long Redis keeps a place in a queue for a client that went away and may come back with its Idempotency-Key.
const PLACE_KEPT: Duration = Duration::from_secs(10);
/// How much longer than its wait an attempt may take, the difference between two clocks included.
const SLACK: Duration = Duration::from_secs(60);

/// How many times `limits.max_in_flight` may be in flight of what the service does not refuse earlier: extends, releases
/// and breaks.
const HARD_CAP: usize = 8;

/// The locks.
pub struct Store {
    pub(super) link: Arc<Link>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) watched: WatchedQueues,
    /// The channel whose messages wake the waiters of this replica.
    pub(super) channel: String,
    pub(super) scripts: Arc<Scripts>,
    pub(super) keys: Keys,
    pub(super) cancellations: Cancellations,
    pub(super) recovery: Option<Arc<Recovery>>,
    /// How many replicas of Redis must confirm a success.
    pub(super) replicas_wanted: u32,
    pub(super) clustered: bool,
    /// When Redis records events.
    pub(super) record: Record,
    /// How old entries may become in a Cluster; and this replica looks at its streams once at a time.
    pub(super) entries_age: EntriesAge,
    pub(super) looks: Mutex<()>,
    /// How long Redis keeps what became of a request with an Idempotency-Key.
    pub(super) window: Duration,
    /// How long a command may take.
    pub(super) command_timeout: Duration,
    pub(super) metrics: Arc<Metrics>,
}

impl Store {
    /// Begins to connect to Redis. Returns at once, also if no Redis can be reached.
    pub fn open(settings: &Settings, metrics: &Arc<Metrics>) -> Arc<Self> {
        let keys = Keys::new(&settings.redis.key_prefix.0);
        let replica = Uuid::new_v4().simple().to_string();
        let (channel, waiters) = (keys.channel(&replica[..12]), Arc::<Waiters>::default());
        let clustered = settings.redis.url.is_cluster();
        let record = settings.events.record;
        let (stream, told) = (keys.events(None), keys.events_channel());
        let scripts = Arc::new(Scripts::new(&Constants {
            grace: settings.redis.failover_grace,
            window: settings.idempotency_window,
            fence_kept: FENCE_KEPT,
            place_kept: PLACE_KEPT,
            longest_attempt: settings.limits.max_wait + SLACK,
            room: settings.limits.max_waiters,
            holders: settings.limits.max_holders,
            events: match record {
                Record::Off => Recording::Off,
                // A script of a Cluster can't write to a stream that is in another slot.
                Record::Listened | Record::Always if clustered => Recording::InSlot(&told),
                Record::Listened | Record::Always => Recording::At(&stream),
            },
        }));
        let recovery = Recovery::new(&settings.redis, &keys, &scripts);
        let events = LinkEvents { waiters: Arc::clone(&waiters), recovery: recovery.clone() };
        let replicas_wanted = settings.redis.min_replicas_ack;
        let required_acks = RequiredAcks {
            replicas: replicas_wanted,
            // The other half is for undoing what the replicas did not confirm.
            patience: settings.redis.command_timeout / 2,
        };
        Arc::new(Self {
            link: Link::open(
                settings.redis.clone(),
                settings.limits.max_in_flight.saturating_mul(HARD_CAP),
                channel.clone(),
                (replicas_wanted > 0).then_some(required_acks),
                Arc::new(events),
                Arc::clone(metrics),
            ),
            waiters,
            watched: WatchedQueues::default(),
            channel,
            scripts,
            keys,
            cancellations: Cancellations::default(),
            recovery,
            replicas_wanted,
            clustered,
            record,
            entries_age: EntriesAge::default(),
            looks: Mutex::default(),
            window: settings.idempotency_window,
            command_timeout: settings.redis.command_timeout,
            metrics: Arc::clone(metrics),
        })
    }

    /// Waits until the first attempt to reach Redis has succeeded or failed.
    pub async fn tried(&self) {
        self.link.tried().await;
    }

    /// Whether there is a usable connection to Redis.
    pub fn is_connected(&self) -> bool {
        self.link.trouble().is_none()
    }

    /// If there is no usable connection to Redis, why.
    pub fn trouble(&self) -> Option<String> {
        self.link.trouble()
    }

    /// How many requests wait for Redis.
    pub fn in_flight(&self) -> usize {
        self.link.in_flight()
    }

    /// How many requests wait for a lock.
    pub fn waiting(&self) -> usize {
        self.waiters.count()
    }

    /// The locks for which the most requests wait at this replica, each with how many, the most first.
    pub fn longest_lines(&self, most: usize) -> Vec<(String, usize)> {
        let lines = self.waiters.longest(most).into_iter();
        // The key of a queue is that of its lock with another last word.
        let named = |(queue, waiting): (String, usize)| {
            let lock = format!("{}lock", queue.strip_suffix("queue")?);
            Some((self.keys.resource(&lock)?, waiting))
        };
        lines.filter_map(named).collect()
    }

    /// For how long new grants wait, because Redis may have lost data, as far as this replica knows.
    pub fn recovering(&self) -> Duration {
        self.recovery.as_ref().map_or(Duration::ZERO, |recovery| recovery.left())
    }

    /// The cancellations under way.
    pub fn cancellations(&self) -> &Cancellations {
        &self.cancellations
    }

    /// The replica is about to end: answers all requests that wait.
    pub fn dismiss_waiters(&self) {
        self.waiters.dismiss();
    }
}

//! Locks in Redis. Each operation is one file here and one script in `lua/`.

mod acquire;
mod break_lock;
mod cancel;
mod confirm;
mod explain;
mod extend;
mod inspect;
mod lines;
mod link;
mod list;
mod police;
mod protocol;
mod ready;
mod recovery;
mod release;

use std::{sync::Arc, time::Duration};

pub use acquire::Acquire;
pub use cancel::Cancellations;
pub use extend::Extend;
use gorilla_scripts::{Constants, Keys, Scripts};
pub use list::{Cursor, Page};
use uuid::Uuid;

use crate::{lock::Once, settings::Settings};
use confirm::Terms;
use lines::Lines;
use link::Link;
use police::Beat;
use recovery::Recovery;

/// How long the last fence is kept after a grant, for the time in which the clock may have stepped back.
const FENCE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a place in a queue is kept for a client that went away and may come back with its Idempotency-Key.
const PLACE_KEPT: Duration = Duration::from_secs(10);
/// What an attempt may take beyond its wait, clocks that differ included.
const SLACK: Duration = Duration::from_secs(60);

/// The locks.
pub struct Store {
    link: Arc<Link>,
    lines: Arc<Lines>,
    beat: Beat,
    /// By which this replica's waiters are woken.
    channel: String,
    scripts: Arc<Scripts>,
    keys: Keys,
    cancellations: Cancellations,
    recovery: Option<Arc<Recovery>>,
    /// How many replicas of Redis confirm a success.
    replicas_wanted: u32,
    clustered: bool,
    /// How long what became of a request is kept.
    window: Duration,
    /// How long a command may take.
    command_timeout: Duration,
}

impl Store {
    /// Begins to connect to Redis; returns at once, also where there is none.
    pub fn open(settings: &Settings) -> Arc<Self> {
        let keys = Keys::new(&settings.redis.key_prefix.0);
        let replica = Uuid::new_v4().simple().to_string();
        let (channel, lines) = (keys.channel(&replica[..12]), Arc::<Lines>::default());
        let scripts = Arc::new(Scripts::new(&Constants {
            grace: settings.redis.failover_grace,
            window: settings.idempotency_window,
            fence_kept: FENCE_KEPT,
            place_kept: PLACE_KEPT,
            longest_attempt: settings.limits.max_wait + SLACK,
            room: settings.limits.max_waiters,
        }));
        let recovery = Recovery::new(&settings.redis, &keys, &scripts);
        let replicas_wanted = settings.redis.min_replicas_ack;
        let terms = Terms {
            replicas: replicas_wanted,
            // So that there is time to undo what was not confirmed.
            patience: settings.redis.command_timeout / 2,
        };
        Arc::new(Self {
            link: Link::open(
                settings.redis.clone(),
                settings.limits.max_in_flight,
                channel.clone(),
                Arc::clone(&lines),
                recovery.clone(),
                (replicas_wanted > 0).then_some(terms),
            ),
            lines,
            beat: Beat::default(),
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
        self.lines.dismiss();
    }
}

/// The name of a request's record and its fingerprint, where the request may come again.
fn record(once: Option<&Once>) -> (Option<&str>, Option<&str>) {
    once.map(|once| (once.key.as_str(), once.fingerprint.as_str())).unzip()
}

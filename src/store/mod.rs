//! Locks in Redis. Each operation is one file here and one script in `lua/`.

mod acquire;
mod break_lock;
mod cancel;
mod confirm;
mod explain;
mod extend;
mod inspect;
mod keys;
mod lines;
mod link;
mod list;
mod police;
mod ready;
mod recovery;
mod release;
mod reply;
mod script;
mod slots;

use std::{sync::Arc, time::Duration};

pub use acquire::Acquire;
pub use cancel::Cancellations;
pub use extend::Extend;
pub use keys::Keys;
pub use list::{Cursor, Page};
#[cfg(any(fuzzing, test))]
pub(crate) use reply::Reply;
pub use script::{Script, Scripts};

use uuid::Uuid;

use crate::{
    lock::{Once, ResourceName},
    settings::Settings,
};
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
    queue_limits: QueueLimits,
    scripts: Arc<Scripts>,
    keys: Keys,
    cancellations: Cancellations,
    recovery: Option<Arc<Recovery>>,
    /// How many replicas of Redis confirm a success.
    replicas_wanted: u32,
    clustered: bool,
    /// How long what became of a request is kept.
    window: Duration,
    /// The same in milliseconds, as text.
    window_ms: String,
    /// How long a command may take.
    command_timeout: Duration,
    /// `FENCE_KEPT` in milliseconds, as text.
    fence_kept: String,
}

/// As text for the scripts, times in milliseconds.
struct QueueLimits {
    most_waiters: String,
    place_kept: String,
    longest_attempt: String,
}

impl Store {
    /// Begins to connect to Redis; returns at once, also where there is none.
    pub fn open(settings: &Settings) -> Arc<Self> {
        let keys = Keys::new(&settings.redis.key_prefix.0);
        let replica = Uuid::new_v4().simple().to_string();
        let (channel, lines) = (keys.channel(&replica[..12]), Arc::<Lines>::default());
        let queue_limits = QueueLimits {
            most_waiters: settings.limits.max_waiters.to_string(),
            place_kept: PLACE_KEPT.as_millis().to_string(),
            longest_attempt: (settings.limits.max_wait + SLACK).as_millis().to_string(),
        };
        let scripts = Arc::<Scripts>::default();
        let recovery = Recovery::new(&settings.redis, &keys, &scripts);
        let replicas_wanted = settings.redis.min_replicas_ack;
        let terms = Terms {
            scripts: Arc::clone(&scripts),
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
            queue_limits,
            scripts,
            keys,
            cancellations: Cancellations::default(),
            recovery,
            replicas_wanted,
            clustered: settings.redis.url.is_cluster(),
            window: settings.idempotency_window,
            window_ms: settings.idempotency_window.as_millis().to_string(),
            command_timeout: settings.redis.command_timeout,
            fence_kept: FENCE_KEPT.as_millis().to_string(),
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

    /// The key of a request's record, where the request may come again.
    fn request_key(&self, resource: &ResourceName, once: Option<&Once>) -> Option<String> {
        once.map(|once| self.keys.request(resource, once.key.as_str()))
    }

    /// The fingerprint that a script is told: none where the request may act twice.
    fn fingerprint(once: Option<&Once>) -> &str {
        once.map_or("", |once| once.fingerprint.as_str())
    }
}

//! Locks in Redis. Each operation is one file here and one script in `lua/`.

mod acquire;
mod break_lock;
mod cancel;
mod extend;
mod inspect;
mod keys;
mod link;
mod list;
mod ready;
mod release;
mod reply;
mod script;

use std::{sync::Arc, time::Duration};

pub use acquire::Acquire;
pub use cancel::Cancellations;
pub use extend::Extend;
pub use keys::Keys;
pub use list::{Cursor, Page};
pub use script::{Script, Scripts};

use crate::{
    lock::{Once, ResourceName},
    settings::Settings,
};
use link::Link;

/// How long the last fence is kept after a grant, for the time in which the clock may have stepped back.
const FENCE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The locks.
pub struct Store {
    link: Arc<Link>,
    scripts: Scripts,
    keys: Keys,
    cancellations: Cancellations,
    /// The retry window in milliseconds, as text.
    window: String,
    /// `FENCE_KEPT` in milliseconds, as text.
    fence_kept: String,
}

impl Store {
    /// Begins to connect to Redis; returns at once, also where there is none.
    pub fn open(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            link: Link::open(settings.redis.clone(), settings.limits.max_in_flight),
            scripts: Scripts::default(),
            keys: Keys::new(&settings.redis.key_prefix.0),
            cancellations: Cancellations::default(),
            window: settings.idempotency_window.as_millis().to_string(),
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

    /// The keys of a lock and, where the request may come again, of its record.
    fn lock_and_request(&self, resource: &ResourceName, once: Option<&Once>) -> (String, Option<String>) {
        (self.keys.lock(resource), once.map(|once| self.keys.request(resource, once.key.as_str())))
    }

    /// The fingerprint that a script is told: none where the request may act twice.
    fn fingerprint(once: Option<&Once>) -> &str {
        once.map_or("", |once| once.fingerprint.as_str())
    }
}

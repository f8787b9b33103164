//! After Redis may have lost data, new grants wait until the leases of all lost grants have run out.
//! `lua/lib/incarnation.lua` decides this for each grant. The code here has a new connection decide it at once, and
//! logs it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use gorilla_domain::Failure;
use gorilla_scripts::{Keys, Request, Scripts, Settle, Settled, all_slots, slot_of};
use tracing::{debug, info, warn};

use crate::{
    settings,
    store::{
        error::Error,
        link::{self, Connection},
        protocol,
    },
};

/// Slots of a cluster that Gorilla settles at once: few, because requests go over the same connection.
const AT_ONCE: usize = 32;

/// What `redis.failover_grace` needs, if it is on.
pub struct Recovery {
    clustered: bool,
    keys: Keys,
    scripts: Arc<Scripts>,
    /// Until when grants wait, as the log has said.
    said: Mutex<Instant>,
}

impl Recovery {
    /// None if the option is off.
    pub fn new(settings: &settings::Redis, keys: &Keys, scripts: &Arc<Scripts>) -> Option<Arc<Self>> {
        let (grace, clustered) = (settings.failover_grace, settings.url.is_cluster());
        let (keys, scripts, said) = (keys.clone(), Arc::clone(scripts), Mutex::new(Instant::now()));
        let recovery = Self { clustered, keys, scripts, said };
        (!grace.is_zero()).then(|| Arc::new(recovery))
    }

    /// The key that tells a script whether the data of a resource belong to a new incarnation.
    pub fn key(&self, lock: &str) -> String {
        self.keys.incarnation(self.clustered.then(|| slot_of(lock)))
    }

    /// Lets the time begin when a connection is opened. An error says what the server lacks. It is not an error if the
    /// server refuses writes now: then it refuses grants too, and a later grant lets the time begin.
    pub async fn begin(&self, connection: &Connection) -> Result<(), String> {
        match self.settle(connection, self.clustered.then_some(0)).await.map_err(Failure::from) {
            Ok(settled) if !self.clustered => self.note(Duration::from_millis(settled.left), settled.is_new),
            Ok(_) => {}
            Err(Failure::Broken(cause)) => {
                return Err(format!(
                    "redis.failover_grace needs a user with the right +info, also in scripts ({cause})"
                ));
            }
            Err(failure) => debug!(?failure, "could not look whether data were lost"),
        }
        Ok(())
    }

    /// Lets the time of each slot of a cluster begin. Each slot has its own, so that a script finds it beside the lock.
    pub async fn settle_slots(&self, connection: &Connection) {
        if !self.clustered {
            return;
        }
        let begun = Instant::now();
        let mut replies = stream::iter(all_slots()).map(|slot| self.settle(connection, Some(slot))).buffered(AT_ONCE);
        let mut slots = 0_u32;
        while let Some(reply) = replies.next().await {
            match reply {
                Ok(settled) => {
                    self.note(Duration::from_millis(settled.left), false);
                    slots += 1;
                }
                // The slot has no node, or it moves. A later grant lets the time begin.
                Err(Error::Link(link::Error::Refused(_))) => {}
                Err(error) => {
                    debug!(?error, "could not look in all slots whether data were lost");
                    break;
                }
            }
        }
        info!(slots, duration_ms = begun.elapsed().as_millis() as u64, "looked in each slot whether data were lost");
    }

    /// For how long grants wait, as the log has said.
    pub fn left(&self) -> Duration {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).saturating_duration_since(Instant::now())
    }

    /// Logs that grants wait for so long, once for each time that the waiting begins.
    pub fn note(&self, left: Duration, is_new: bool) {
        if left.is_zero() {
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if is_new || *said <= now {
            let wait_ms = left.as_millis() as u64;
            warn!(wait_ms, "the data of Redis are of a new incarnation, which may lack grants: new grants wait");
        }
        *said = (*said).max(now + left);
    }

    async fn settle(&self, connection: &Connection, slot: Option<u16>) -> Result<Settled, Error> {
        let request = Request::new(&self.scripts, Some(self.keys.incarnation(slot)), &Settle {});
        protocol::read::<Settle>(connection.run(None, &request).await?)
    }
}

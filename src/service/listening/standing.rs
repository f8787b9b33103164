//! What a listener may see now. A stream lasts for long, and rights change meanwhile.

use std::{sync::Arc, time::SystemTime};

use gorilla_domain::{ResourceName, Verb};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::filter::Filter;
use crate::{access::Current, service::caller::Caller};

/// What a listener may see now.
pub struct Standing {
    caller: Caller,
    /// Nothing if the replica demands no keys.
    keys: Option<Keys>,
    named: Vec<ResourceName>,
    /// Whether the key is valid and allows all that the filter names.
    holds: bool,
}

struct Keys {
    access: Arc<Current>,
    generations: watch::Receiver<u64>,
    /// When the key expires, by the clock of this machine.
    expires: Option<Instant>,
}

impl Standing {
    /// What the caller may see, who has just been admitted.
    pub fn new(access: Option<Arc<Current>>, caller: &Caller, filter: &Filter) -> Self {
        let keys = access.zip(caller.identity.as_ref()).map(|(access, identity)| Keys {
            generations: access.subscribe(),
            expires: identity.expires.map(deadline),
            access,
        });
        let mut standing = Self { caller: caller.clone(), keys, named: filter.resources().to_vec(), holds: true };
        // The access file may have changed since the request was admitted.
        standing.look();
        standing
    }

    /// Whether the listener may go on. Looks again if the access file has changed or the key has expired.
    pub fn holds(&mut self) -> bool {
        let is_due = self.keys.as_mut().is_some_and(|keys| {
            // An error means that nothing reloads the access file any more.
            let has_changed = keys.generations.has_changed().unwrap_or(false);
            has_changed || keys.expires.is_some_and(|at| at <= Instant::now())
        });
        if is_due {
            self.look();
        }
        self.holds
    }

    /// Waits until `holds` may tell something else.
    pub async fn changed(&mut self) {
        let Some(keys) = &mut self.keys else { return std::future::pending().await };
        let expired = async {
            match keys.expires {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = keys.generations.changed() => match changed {
                Ok(()) => keys.generations.mark_changed(),
                Err(_) => std::future::pending().await,
            },
            () = expired => {}
        }
    }

    /// Whether the listener may see the events of this lock.
    pub fn may_see(&self, resource: &ResourceName) -> bool {
        self.caller.permit(Verb::Events, resource).is_ok()
    }

    /// The listener, with the rights that it has now.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    fn look(&mut self) {
        let (Some(keys), Some(identity)) = (&mut self.keys, &self.caller.identity) else { return };
        keys.generations.mark_unchanged();
        let now = keys.access.load().again(identity, SystemTime::now());
        match now {
            Ok(identity) => {
                keys.expires = identity.expires.map(deadline);
                self.caller.identity = Some(identity);
                let may_see = |resource| self.caller.permit(Verb::Events, resource).is_ok();
                self.holds = self.named.iter().all(may_see) && self.caller.scope(Verb::Events).is_ok();
            }
            Err(_) => self.holds = false,
        }
    }
}

/// When a time of the wall clock comes, if nobody sets that clock.
fn deadline(at: SystemTime) -> Instant {
    Instant::now() + at.duration_since(SystemTime::now()).unwrap_or_default()
}

//! What a caller may do, and whether it still may while its request waits.

use std::{
    pin::Pin,
    time::{Duration, SystemTime},
};

use gorilla_domain::{Acquire, Acquired, Failure, ResourceName, Verb};

use super::{base::Service, caller::Caller, refusal::Refusal};
use crate::access::{Identity, Reached, Waiting};

/// Refuses an acquire that the caller may not make.
pub fn permit_acquire(caller: &Caller, asked: &Acquire) -> Result<(), Refusal> {
    let Some(identity) = &caller.identity else { return Ok(()) };
    caller.permit(Verb::Acquire, &asked.resource)?;
    if !asked.wait.is_zero() {
        caller.permit(Verb::Wait, &asked.resource)?;
    }
    permit_time(identity, "timeout", asked.lease.as_duration())?;
    permit_time(identity, "wait", asked.wait)?;
    match &identity.owner_prefix {
        Some(prefix) if !identity.may_be_owner(asked.owner.as_str()) => {
            Err(Refusal::Owner { identity: identity.name.clone(), prefix: prefix.clone() })
        }
        _ => Ok(()),
    }
}

/// Refuses a longer time than the quota of the caller allows.
pub fn permit_time(identity: &Identity, field: &'static str, asked: Duration) -> Result<(), Refusal> {
    let quota = &identity.role.quota;
    let most = if field == "wait" { quota.max_wait } else { quota.max_timeout };
    match most.filter(|most| asked > *most) {
        Some(most) => Err(Refusal::TooLong { identity: identity.name.clone(), field, most }),
        None => Ok(()),
    }
}

impl Service {
    /// Refuses what the caller may not do with a resource.
    pub(super) fn permit(&self, caller: &Caller, verb: Verb, resource: &ResourceName) -> Result<(), Refusal> {
        self.noted(caller, caller.permit(verb, resource).map_err(Refusal::from))
    }

    /// Counts a request of the caller against its rate.
    pub fn ask(&self, identity: &Identity) -> Result<(), Refusal> {
        self.usages.ask(identity).map_err(|reached| self.quota(identity, reached))
    }

    /// Counts a request of the caller among its waiters, if it waits.
    pub(super) fn wait(&self, caller: &Caller, wait: Duration) -> Result<Option<Waiting>, Refusal> {
        let Some(identity) = caller.identity.as_ref().filter(|_| !wait.is_zero()) else { return Ok(None) };
        self.usages.wait(identity).map_err(|reached| self.quota(identity, reached))
    }

    /// Refuses a caller that holds as many locks as it may.
    pub(super) fn refuse_held(&self, caller: &Caller, acquired: &Acquired) -> Result<(), Refusal> {
        match (acquired, &caller.identity) {
            (Acquired::QuotaReached { held }, Some(identity)) => Err(self.quota(identity, Reached::Held(*held))),
            _ => Ok(()),
        }
    }

    fn quota(&self, identity: &Identity, reached: Reached) -> Refusal {
        self.metrics.access.refused(reached);
        Refusal::Quota { identity: identity.name.clone(), reached }
    }

    /// Does work that may wait, as long as the key of the caller is valid and allows it: `permit` says whether it does.
    /// Otherwise the caller must drop the work, which undoes it. Work that doesn't wait is over as soon as Redis replies,
    /// so nobody looks again in its middle.
    pub(super) async fn while_permitted<T>(
        &self,
        caller: &Caller,
        waits: bool,
        permit: impl Fn(&Caller) -> Result<(), Refusal>,
        work: Pin<&mut impl Future<Output = Result<T, Failure>>>,
    ) -> Result<T, Refusal> {
        if caller.identity.is_none() || !waits {
            // The body may have taken its time.
            self.noted(caller, self.permit_still(caller, permit))?;
            return Ok(work.await?);
        }
        // Boxed: every request that waits would hold it, also where no keys are demanded.
        Box::pin(async {
            tokio::select! {
                biased;
                done = work => Ok(done?),
                refusal = self.not_permitted_any_more(caller, permit) => self.noted(caller, Err(refusal)),
            }
        })
        .await
    }

    /// Refuses what the caller may not do any more, although it might when its request came.
    pub(super) fn permit_still(
        &self,
        caller: &Caller,
        permit: impl Fn(&Caller) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(identity) = &caller.identity else { return Ok(()) };
        let Some(access) = self.access.as_ref().filter(|access| !access.still_says(identity)) else {
            return permit(caller);
        };
        let now = access.load().again(identity, SystemTime::now()).map_err(|_| Refusal::NotAnyMore)?;
        // Nothing else of the caller matters to its rights.
        permit(&Caller { identity: Some(now), ..caller.clone() })
    }

    /// Ends when the caller may not do any more what it waits for, and says why.
    async fn not_permitted_any_more(
        &self,
        caller: &Caller,
        permit: impl Fn(&Caller) -> Result<(), Refusal>,
    ) -> Refusal {
        let (Some(access), Some(identity)) = (&self.access, &caller.identity) else {
            return std::future::pending().await;
        };
        let mut generations = access.subscribe();
        loop {
            if let Err(refusal) = self.permit_still(caller, &permit) {
                return refusal;
            }
            // A clock that was set meanwhile is noticed with the next generation.
            let left = identity.expires.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
            let expired = async {
                match left {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // It fails only when nothing reloads the access file any more.
                changed = generations.changed() => if changed.is_err() { return std::future::pending().await },
                () = expired => {}
            }
        }
    }
}

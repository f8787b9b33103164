//! Take several locks, all or none, or wait for them.

use std::pin::pin;

use gorilla_domain::{AcquireSet, Failure, SetAcquired};

use super::{base::Service, caller::Caller, permission::permit_acquire, refusal::Refusal, trail::Trail};
use crate::audit::Event;

impl Service {
    /// Takes several locks, all or none, or waits for them. The acquire is undone if the caller is dropped before it learns
    /// the outcome, and if it may not take one of the locks any more.
    pub async fn acquire_set(&self, caller: &Caller, asked: &AcquireSet) -> Result<SetAcquired, Refusal> {
        let permit = |caller: &Caller| asked.parts().iter().try_for_each(|part| permit_acquire(caller, part));
        self.noted(caller, permit(caller))?;
        let trails: Vec<_> = asked
            .parts()
            .iter()
            .map(|part| self.demand(caller, Event::Grant, &part.resource, None))
            .collect::<Result<_, _>>()?;
        let _waiting = self.wait(caller, asked.wait())?;
        let acquired =
            self.while_permitted(caller, !asked.wait().is_zero(), permit, pin!(self.store.acquire_set(asked))).await;
        asked.parts().iter().for_each(|part| self.watches.changed(&part.resource));
        if let Ok(SetAcquired::Refused { by, .. }) = &acquired {
            self.refuse_held(caller, by)?;
        }
        let trails = trails.into_iter().flatten();
        if let Ok(SetAcquired::Granted(set)) = &acquired
            && let Err(refusal) = self.grant_still(caller, permit)
        {
            let mut given_back = Ok(());
            for (part, lock) in asked.parts().iter().zip(&set.locks) {
                given_back = given_back.and(self.give_back(&part.resource, lock).await);
            }
            let outcome = if given_back.is_ok() { "undone" } else { "unknown" };
            trails.zip(&set.locks).for_each(|(trail, lock)| trail.granted(outcome, lock, asked.lease()));
            return given_back.and(Err(refusal));
        }
        match &acquired {
            Ok(SetAcquired::Granted(set)) => {
                trails.zip(&set.locks).for_each(|(trail, lock)| trail.granted("granted", lock, asked.lease()));
            }
            Ok(SetAcquired::Replayed(set)) => {
                trails.zip(&set.locks).for_each(|(trail, lock)| trail.granted("replayed", lock, asked.lease()));
            }
            Err(Refusal::Store(Failure::Unknown(_) | Failure::Broken(_))) => trails.for_each(Trail::unknown),
            Ok(SetAcquired::Refused { .. }) | Err(_) => {}
        }
        acquired
    }
}

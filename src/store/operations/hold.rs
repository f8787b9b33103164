//! Renews and commits a part of a set: `lua/hold.lua`.

use gorilla_domain::{Failure, Lease, Lock};
use gorilla_scripts::{Hold, HoldReply};

use crate::store::{base::Store, doubt::Attempt, protocol};

impl Store {
    /// Renews a part until the set has all its parts. `lock` is what the attempt was granted, perhaps as a copy.
    pub(super) async fn renew_part(&self, attempt: &Attempt, lock: &Lock) -> Result<HoldReply, Failure> {
        self.hold(attempt, lock, Lease::HOLD, false).await
    }

    /// Gives a part the lease that the set asks for.
    pub(super) async fn commit_part(&self, attempt: &Attempt, lock: &Lock, lease: Lease) -> Result<HoldReply, Failure> {
        self.hold(attempt, lock, lease, true).await
    }

    async fn hold(&self, attempt: &Attempt, lock: &Lock, lease: Lease, commit: bool) -> Result<HoldReply, Failure> {
        let (request, print) = protocol::record(attempt.bid.asked.once.as_ref());
        let call = Hold { id: &lock.tenure.id, lease: lease.as_millis(), request, print, commit };
        Ok(self.run_hold(&attempt.lock, &call).await?)
    }
}

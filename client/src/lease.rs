//! What was granted, and for how long.

use std::time::Duration;

use gorilla_wire::Share;

use tokio::sync::watch::Receiver;

use crate::{Lock, Token, clock::Moment, error::Lost};

/// The part of the lease that the client doesn't count on, because its clock and the clock of the server may run at
/// different rates.
const DRIFT: f64 = 0.01;

/// What was granted: the same until the lock is converted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The id of the grant.
    pub id: String,
    /// The fencing token.
    pub fence: u64,
    /// The smallest fencing token that may write beside this one, as [`Guard::floor`](crate::Guard::floor) says.
    pub floor: u64,
    /// Only of a shared lock: its permits and their limit.
    pub share: Option<Share>,
}

impl Grant {
    fn of(lock: &Lock) -> Self {
        let floor = lock.share.as_ref().map_or(lock.fence, |share| share.floor);
        Self { id: lock.id.clone(), fence: lock.fence, floor, share: lock.share.clone() }
    }
}

/// The lease after the last confirmed renewal or conversion.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lease {
    /// The token of the lock until the next renewal or conversion.
    pub token: Token,
    /// Until then the server grants the lock to no other client, by the clock of this machine. The lease counts from
    /// when the client sent the renewal, less one percent for clocks that run at different rates.
    pub ends: Moment,
    /// When the lease ends by the clock of the server, in the form of RFC 3339; of a lock that is being broken, when the
    /// last renewal would have ended.
    pub expire_at: String,
    /// What was granted.
    pub grant: Grant,
    /// Whether somebody breaks the lock and has left this client a grace. Then the server renews the lock no more.
    pub is_breaking: bool,
}

impl Lease {
    pub(crate) fn new(sent: Moment, lock: &Lock) -> Self {
        Self {
            token: lock.token.clone(),
            ends: counted(sent, lock.ttl),
            expire_at: lock.expire_at.clone(),
            grant: Grant::of(lock),
            is_breaking: false,
        }
    }

    /// The same lease of a lock that somebody breaks, and that lasted for `left` after the client had sent a renewal.
    pub(crate) fn breaking(&self, sent: Moment, left: Duration) -> Self {
        let ends = self.ends.min(counted(sent, left));
        Self { ends, is_breaking: true, ..self.clone() }
    }
}

/// Until when a lease lasts that lasted so long at this moment, whatever clocks do.
pub(crate) fn counted(from: Moment, left: Duration) -> Moment {
    from + left.mul_f64(1.0 - DRIFT)
}

/// The reason of a loss, as soon as there is one.
pub(crate) async fn told(mut lost: Receiver<Option<Lost>>) -> Lost {
    let reason = lost.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
    match reason {
        Some(reason) => reason,
        None => std::future::pending().await,
    }
}

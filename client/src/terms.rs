//! How a lock is to be held.

use std::time::Duration;

use tokio::sync::watch::Receiver;

use crate::{clock::Moment, error::Lost, lease::Lease};

/// How a guard holds its lock.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The lease.
    pub ttl: Duration,
    /// How long before the lease may have run out the lock counts as lost.
    pub grace: Duration,
    /// Until then others are not granted the lock, also if it is released before.
    pub at_least: Moment,
    /// Then the lock counts as lost, whatever the server says.
    pub at_most: Moment,
}

impl Terms {
    /// When the lock counts as lost, unless the lease is renewed.
    pub fn deadline(&self, lease: &Lease) -> Moment {
        (lease.ends - self.grace).min(self.at_most)
    }

    /// Whether the lock counts as lost at this moment, by the clock.
    pub fn is_lost(&self, lost: &Receiver<Option<Lost>>, lease: &Receiver<Lease>) -> bool {
        // The lease does not change while it is borrowed, so what is lost at this moment stays lost.
        let lease = lease.borrow();
        lost.borrow().is_some() || self.deadline(&lease).left().is_zero()
    }

    /// Why the lock counts as lost after the deadline.
    pub fn lost(&self, otherwise: Lost) -> Lost {
        if self.at_most.left().is_zero() { Lost::MaxHold } else { otherwise }
    }
}

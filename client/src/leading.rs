//! What a leader knows of its leadership.

use serde_json::Value;
use tokio::sync::{mpsc::WeakSender, watch::Receiver};

use crate::{
    error::{Error, Lost},
    keeper::{Order, change_by},
    lease::{Lease, told},
    requests::Change,
    terms::Terms,
};

/// A leadership, for the body that leads and for what it spawns. It ends when the body ends; clones of it then say that
/// nobody leads.
#[derive(Clone, Debug)]
pub struct Leading {
    election: String,
    owner: String,
    terms: Terms,
    lease: Receiver<Lease>,
    lost: Receiver<Option<Lost>>,
    orders: WeakSender<Order>,
}

impl Leading {
    pub(crate) fn new(
        election: String,
        owner: String,
        terms: Terms,
        lease: Receiver<Lease>,
        lost: Receiver<Option<Lost>>,
        orders: WeakSender<Order>,
    ) -> Self {
        Self { election, owner, terms, lease, lost, orders }
    }

    /// The name of the election.
    pub fn election(&self) -> &str {
        &self.election
    }

    /// The label that this client gave itself.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The term: larger than all earlier terms of the election. Send it along with each write, and let the receiver
    /// reject a smaller term than it has seen. It is the fencing token of the lock.
    pub fn term(&self) -> u64 {
        self.lease.borrow().grant.fence
    }

    /// Whether this client leads for sure at this moment. Looks at the clock itself, so that it is right also in a process
    /// that was suspended, or whose threads are busy.
    pub fn is_leading(&self) -> bool {
        !self.has_ended() && !self.terms.is_lost(&self.lost, &self.lease)
    }

    /// Completes when the leadership counts as lost: when only the grace is left of the lease, or when the server says
    /// that the grant has ended. Never completes after a resignation.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static {
        told(self.lost.clone())
    }

    /// Proclaims something else: any JSON. The lease begins anew.
    ///
    /// # Errors
    /// What was proclaimed before stays after [`Error::Refused`] and [`Error::Unavailable`]. [`Error::Lost`] if the
    /// leadership is lost.
    pub async fn proclaim(&self, metadata: Value) -> Result<(), Error> {
        match self.orders.upgrade() {
            Some(orders) => change_by(orders, Change::Metadata(metadata), self.lost.clone()).await,
            None => Err(Error::Lost(Lost::Ended("this client has resigned".into()))),
        }
    }

    /// Whether the guard has ended, by a resignation or a loss.
    fn has_ended(&self) -> bool {
        self.orders.strong_count() == 0
    }
}

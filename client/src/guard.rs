//! The guard of a lock: what its holder knows of the lock, and does with it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gorilla_wire::Mode;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch::Receiver},
    task::JoinHandle,
};

use crate::{
    Lock, Token,
    error::{Error, Lost},
    keeper::{Keeper, Order, change_by},
    kind::Kind,
    leading::Leading,
    lease::{Lease, told},
    loss_watch::watch,
    progress::Report,
    renewals::Renewals,
    requests::Change,
    terms::Terms,
    ticket::Ticket,
    wire::Wire,
};

/// What is left of a guard that has ended and has not released its lock.
pub(crate) struct Left {
    pub wire: Wire,
    pub resource: String,
    pub token: Token,
    /// Why the lock was lost, if it was.
    pub lost: Option<Error>,
}

/// The guard of a lock that is held. It renews the lock after each third of the lease, until the guard is released or
/// dropped or the lock is lost. If somebody breaks the lock and leaves this client a grace, the guard says so in its lease
/// and renews no more.
///
/// A guard that is dropped releases the lock in the background, as long as the runtime lives. Then nothing tells
/// whether the release worked.
#[derive(Debug)]
#[must_use = "a guard that is dropped releases the lock"]
pub struct Guard {
    wire: Wire,
    resource: String,
    owner: String,
    terms: Terms,
    lease: Receiver<Lease>,
    lost: Receiver<Option<Lost>>,
    /// Whether the keeper releases the lock when it ends.
    releases: Arc<AtomicBool>,
    /// When it closes, the keeper ends.
    orders: mpsc::Sender<Order>,
    keeper: JoinHandle<Result<(), Error>>,
}

impl Guard {
    pub(crate) fn new(
        wire: Wire,
        renewals: Arc<Renewals>,
        report: Report,
        lock: Lock,
        lease: Lease,
        terms: Terms,
    ) -> Self {
        let (lease, leases) = tokio::sync::watch::channel(lease);
        let (lost, losses) = tokio::sync::watch::channel(None);
        let (orders, ordered) = mpsc::channel(1);
        let releases = Arc::new(AtomicBool::new(true));
        let keeper = Keeper {
            wire: wire.clone(),
            renewals,
            report,
            resource: lock.resource.clone(),
            terms: terms.clone(),
            lease,
            lost,
            releases: Arc::clone(&releases),
        };
        let keeper = tokio::spawn(keeper.keep(ordered));
        Self {
            wire,
            resource: lock.resource,
            owner: lock.owner,
            terms,
            lease: leases,
            lost: losses,
            releases,
            orders,
            keeper,
        }
    }

    /// The name of what is locked.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The owner: the label that this client gave itself.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The id of the grant.
    pub fn id(&self) -> String {
        self.lease.borrow().grant.id.clone()
    }

    /// The fencing token: larger than the fencing tokens of all earlier grants. Send it along with each write, and the
    /// [floor](Guard::floor) too if others may share the lock.
    pub fn fence(&self) -> u64 {
        self.lease.borrow().grant.fence
    }

    /// The fencing token of the first of those that share the lock now; of an exclusive lock, the fencing token itself.
    /// Let the receiver of a write keep the largest floor that it has seen, and reject a fencing token below it. Then
    /// holders that share a lock never reject each other.
    pub fn floor(&self) -> u64 {
        self.lease.borrow().grant.floor
    }

    /// Whether the lock is exclusive or shared.
    pub fn mode(&self) -> Mode {
        if self.lease.borrow().grant.share.is_some() { Mode::Shared } else { Mode::Exclusive }
    }

    /// How many permits a shared lock takes. None of an exclusive lock, beside which there is no other.
    pub fn permits(&self) -> Option<u32> {
        self.lease.borrow().grant.share.as_ref().map(|share| share.permits)
    }

    /// The lease, which changes with every renewal.
    pub fn lease(&self) -> Receiver<Lease> {
        self.lease.clone()
    }

    /// Makes the lock exclusive or shared, with nobody in between; requests that wait for the lock stay behind. The
    /// lease begins anew, and the lock has a new id, fence, floor and token.
    ///
    /// To make a lock shared always works. To make it exclusive works only for a client that shares the lock with
    /// nobody at this moment. The request doesn't wait: two clients that did so would wait for each other.
    ///
    /// Before you make a lock shared, stop what only its one holder may do: others may enter before the answer is here.
    ///
    /// If the future is dropped, the lock may be converted all the same, and the guard then knows.
    ///
    /// # Errors
    /// The lock stays as it was after [`Error::NotAcquired`] (others share it), [`Error::Refused`] (with
    /// `limit_mismatch` if another limit is in force) and [`Error::Unavailable`]. [`Error::Lost`] if the lock is lost.
    pub async fn convert(&mut self, kind: Kind) -> Result<(), Error> {
        self.change(Change::Kind(kind)).await
    }

    /// Replaces what the server keeps with the lock: any JSON. The lease begins anew.
    ///
    /// # Errors
    /// The metadata stays as it was after [`Error::Refused`] and [`Error::Unavailable`]. [`Error::Lost`] if the lock is
    /// lost.
    pub async fn set_metadata(&self, metadata: Value) -> Result<(), Error> {
        self.change(Change::Metadata(metadata)).await
    }

    async fn change(&self, change: Change) -> Result<(), Error> {
        change_by(self.orders.clone(), change, self.lost.clone()).await
    }

    /// Has a loss of the lock noticed at once instead of with the next renewal: a task in the background asks the server
    /// whether the lock changes hands, and renews the lock when the server says so. Only that renewal decides whether the
    /// lock is lost. For an exclusive lock; one that several clients share is not watched.
    ///
    /// It costs the server a request that waits, all the time, and the right to inspect the lock. The task ends with the
    /// guard.
    pub fn watch(&self) {
        tokio::spawn(watch(
            self.wire.clone(),
            self.resource.clone(),
            self.lease.clone(),
            self.lost.clone(),
            self.orders.downgrade(),
        ));
    }

    /// What a leader is given of the guard.
    pub(crate) fn leading(&self) -> Leading {
        let (lease, lost) = (self.lease.clone(), self.lost.clone());
        Leading::new(
            self.resource.clone(),
            self.owner.clone(),
            self.terms.clone(),
            lease,
            lost,
            self.orders.downgrade(),
        )
    }

    /// Completes with the reason when the lock counts as lost: at once if the server says that the grant has ended, and
    /// otherwise when only the grace is left until the lease may have run out, because no renewal was confirmed or because
    /// somebody breaks the lock. Never completes after a release.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static {
        told(self.lost.clone())
    }

    /// Whether the lock counts as lost at this moment. Looks at the clock itself, so that it is right also if the
    /// renewing could not go on: in a process that was suspended, or whose threads are busy.
    pub fn is_lost(&self) -> bool {
        self.terms.is_lost(&self.lost, &self.lease)
    }

    /// Whether the lock is held for sure at this moment: the opposite of [`Guard::is_lost`].
    pub fn is_held(&self) -> bool {
        !self.is_lost()
    }

    /// Looks whether the lock is held for sure at this moment, as [`Guard::is_held`] does.
    ///
    /// # Errors
    /// [`Error::Lost`] if it is not.
    pub fn check(&self) -> Result<(), Error> {
        match self.is_held() {
            true => Ok(()),
            // The keeper has not noticed yet, if it could not go on.
            false => Err(Error::Lost(self.lost.borrow().clone().unwrap_or(self.terms.lost(Lost::Unconfirmed(None))))),
        }
    }

    /// Gives the lock back, and waits until the server has confirmed it.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock was lost before. [`Error::Unknown`] or [`Error::Unavailable`] if the server did not
    /// confirm the release in time; then the lease ends the lock.
    pub async fn release(self) -> Result<(), Error> {
        drop(self.orders);
        self.keeper.await.unwrap_or_else(|error| Err(Error::Unknown(format!("the renewing has ended: {error}").into())))
    }

    /// Ends the guard, and leaves the lock for another process to [adopt](crate::Client::adopt) before the lease ends.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock was lost before.
    pub async fn detach(self) -> Result<Ticket, Error> {
        let (id, fence) = (self.id(), self.fence());
        let Left { resource, token, lost, .. } = self.leave().await;
        match lost {
            Some(lost) => Err(lost),
            None => Ok(Ticket { resource, id, fence, token }),
        }
    }

    /// Ends the renewing at once, and tells when it has ended. The caller releases the lock.
    pub(crate) fn leave(self) -> impl Future<Output = Left> + Send {
        let Self { wire, resource, lease, releases, orders, keeper, .. } = self;
        releases.store(false, Relaxed);
        drop(orders);
        async move {
            let lost = keeper.await.unwrap_or(Ok(())).err();
            let token = lease.borrow().token.clone();
            Left { wire, resource, token, lost }
        }
    }
}

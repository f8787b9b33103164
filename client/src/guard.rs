//! The guard of a lock, which renews the lock in the background.

use std::time::Duration;

use tokio::{
    sync::{
        oneshot,
        watch::{self, Receiver, Sender},
    },
    task::JoinHandle,
};

use crate::{
    Lock, Token,
    clock::{Moment, sleep_until},
    error::{Error, Lost},
    requests::{self, new_key},
    wire::{ANSWER_TIMEOUT, Answer, Wire, read},
};

/// The part of the lease that the client doesn't count on, because its clock and the clock of the server may run at
/// different rates.
const DRIFT: f64 = 0.01;

/// The lease after the last confirmed renewal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lease {
    /// The token of the lock until the next renewal.
    pub token: Token,
    /// Until then the server grants the lock to no other client, by the clock of this machine. The lease counts from
    /// when the client sent the renewal, less one percent for clocks that run at different rates.
    pub ends: Moment,
    /// When the lease ends by the clock of the server, in the form of RFC 3339.
    pub expire_at: String,
}

impl Lease {
    pub(crate) fn new(sent: Moment, ttl: Duration, lock: &Lock) -> Self {
        Self { token: lock.token.clone(), ends: sent + ttl.mul_f64(1.0 - DRIFT), expire_at: lock.expire_at.clone() }
    }
}

/// The guard of a lock that is held. It renews the lock after each third of the lease, until the guard is released or
/// dropped or the lock is lost.
///
/// A guard that is dropped releases the lock in the background, as long as the runtime lives. Then nothing tells
/// whether the release worked.
#[derive(Debug)]
#[must_use = "a guard that is dropped releases the lock"]
pub struct Guard {
    lock: Lock,
    lease: Receiver<Lease>,
    lost: Receiver<Option<Lost>>,
    /// When it closes, the keeper releases the lock and ends.
    end: oneshot::Sender<()>,
    keeper: JoinHandle<Result<(), Error>>,
}

impl Guard {
    pub(crate) fn new(wire: Wire, lock: Lock, lease: Lease, ttl: Duration, grace: Duration) -> Self {
        let (lease, leases) = watch::channel(lease);
        let (lost, losses) = watch::channel(None);
        let (end, ended) = oneshot::channel();
        let keeper = Keeper { wire, resource: lock.resource.clone(), ttl, grace, lease, lost };
        let keeper = tokio::spawn(keeper.keep(ended));
        Self { lock, lease: leases, lost: losses, end, keeper }
    }

    /// The name of what is locked.
    pub fn resource(&self) -> &str {
        &self.lock.resource
    }

    /// The owner: the label that this client gave itself.
    pub fn owner(&self) -> &str {
        &self.lock.owner
    }

    /// The id of the grant.
    pub fn id(&self) -> &str {
        &self.lock.id
    }

    /// The fencing token: larger than the fencing tokens of all earlier holders. Send it along with each write, and let
    /// the receiver reject a fencing token smaller than one that it has seen.
    pub fn fence(&self) -> u64 {
        self.lock.fence
    }

    /// The lease, which changes with every renewal.
    pub fn lease(&self) -> Receiver<Lease> {
        self.lease.clone()
    }

    /// Completes with the reason when the lock counts as lost: at once if the server says that the grant has ended, and
    /// otherwise when only the grace is left until the lease may have run out. Never completes after a release.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static {
        let mut lost = self.lost.clone();
        async move {
            let reason = lost.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
            match reason {
                Some(reason) => reason,
                None => std::future::pending().await,
            }
        }
    }

    /// Whether the lock counts as lost.
    pub fn is_lost(&self) -> bool {
        self.lost.borrow().is_some()
    }

    /// Gives the lock back, and waits until the server has confirmed it.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock was lost before. [`Error::Unknown`] or [`Error::Unavailable`] if the server did not
    /// confirm the release in time; then the lease ends the lock.
    pub async fn release(self) -> Result<(), Error> {
        drop(self.end);
        self.keeper.await.unwrap_or_else(|error| Err(Error::Unknown(format!("the renewing has ended: {error}"))))
    }
}

struct Keeper {
    wire: Wire,
    resource: String,
    ttl: Duration,
    grace: Duration,
    lease: Sender<Lease>,
    lost: Sender<Option<Lost>>,
}

impl Keeper {
    /// Renews until the guard ends, then releases.
    async fn keep(self, mut end: oneshot::Receiver<()>) -> Result<(), Error> {
        let Err(lost) = self.renew_until(&mut end).await else { return self.release().await };
        self.lost.send_replace(Some(lost.clone()));
        let _ = end.await;
        if matches!(lost, Lost::Unconfirmed(_)) {
            // The lease may still run, and other clients need not wait for its end.
            let _ = self.release().await;
        }
        Err(Error::Lost(lost))
    }

    async fn renew_until(&self, end: &mut oneshot::Receiver<()>) -> Result<(), Lost> {
        loop {
            let ends = self.lease.borrow().ends;
            let (renew_at, deadline) = (ends - self.ttl * 2 / 3, ends - self.grace);
            tokio::select! {
                _ = &mut *end => return Ok(()),
                () = sleep_until(renew_at) => {}
            }
            // After a suspension of the machine it may be too late to renew.
            if deadline.left().is_zero() {
                return Err(Lost::Unconfirmed(None));
            }
            let renewal = self.renew(deadline);
            tokio::pin!(renewal);
            tokio::select! {
                renewed = &mut renewal => renewed?,
                // Keeps the token until the renewal tells which token is right.
                _ = &mut *end => {
                    let _ = tokio::time::timeout(self.wire.patience, renewal).await;
                    return Ok(());
                }
            }
        }
    }

    /// Renews before the deadline.
    async fn renew(&self, deadline: Moment) -> Result<(), Lost> {
        let (token, key) = (self.lease.borrow().token.clone(), new_key());
        let mut request = requests::extend(&self.resource, &token, self.ttl, &key);
        // Short enough for a second attempt.
        request.timeout = ANSWER_TIMEOUT.min(self.ttl / 4);
        let answer = tokio::select! {
            answer = self.wire.send(&request, deadline) => answer,
            () = sleep_until(deadline) => return Err(Lost::Unconfirmed(Some(format!("{} does not answer", self.wire.url)))),
        };
        let refused = match answer {
            Ok(Answer::Done(sent, body)) => {
                let lock: Lock = read(body).map_err(|error| Lost::Unconfirmed(Some(error.to_string())))?;
                self.lease.send_replace(Lease::new(sent, lock.ttl, &lock));
                return Ok(());
            }
            Ok(Answer::Refused(refusal)) => refusal.lost_or_refused(),
            Err(error) => error,
        };
        if let Error::Lost(lost) = refused {
            return Err(lost);
        }
        // Until then the client holds the lock, and may release it in time.
        sleep_until(deadline).await;
        Err(Lost::Unconfirmed(Some(refused.to_string())))
    }

    async fn release(&self) -> Result<(), Error> {
        let (token, key) = (self.lease.borrow().token.clone(), new_key());
        match self.wire.send(&requests::release(&self.resource, &token, &key), self.wire.give_up()).await? {
            Answer::Done(..) => Ok(()),
            Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        }
    }
}

//! Renews the lock of a guard in the background, and changes and releases it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{
    mpsc::{self, Receiver},
    oneshot,
    watch::{self, Sender},
};

use crate::{
    Code, Lock,
    clock::{Moment, sleep_until},
    error::{Error, Lost},
    lease::Lease,
    renewals::Renewals,
    requests::{self, Change, new_key},
    wire::{ANSWER_TIMEOUT, Answer, Wire, read},
};

/// The part of the lease by which a renewal may be early, to go together with those of other guards.
const EARLY: f64 = 0.1;
/// The part of the time until the deadline in which a renewal may go together with others.
const TOGETHER: f64 = 0.75;

/// What a guard wants of its keeper.
#[derive(Debug)]
pub enum Order {
    /// Change the lock, and tell what became of it.
    Change { change: Change, done: oneshot::Sender<Result<(), Error>> },
    /// Renew now, because something says that the lock may be lost.
    Renew,
}

/// The keeper of one lock. Only it knows which token is right.
pub struct Keeper {
    pub wire: Wire,
    pub renewals: Arc<Renewals>,
    pub resource: String,
    pub ttl: Duration,
    pub grace: Duration,
    pub lease: Sender<Lease>,
    pub lost: Sender<Option<Lost>>,
    /// Whether to release the lock at the end.
    pub releases: Arc<AtomicBool>,
}

impl Keeper {
    /// Renews until the guard ends, then releases unless another does.
    pub async fn keep(self, mut orders: Receiver<Order>) -> Result<(), Error> {
        let Err(lost) = self.renew_until(&mut orders).await else { return self.release().await };
        self.lost.send_replace(Some(lost.clone()));
        while let Some(order) = orders.recv().await {
            if let Order::Change { done, .. } = order {
                let _ = done.send(Err(Error::Lost(lost.clone())));
            }
        }
        if !matches!(lost, Lost::Ended(_)) {
            // The lease may still run, and other clients need not wait for its end.
            let _ = self.release().await;
        }
        Err(Error::Lost(lost))
    }

    async fn renew_until(&self, orders: &mut Receiver<Order>) -> Result<(), Lost> {
        let mut next = None;
        let mut others = self.renewals.enter();
        loop {
            let (ends, is_breaking) = (self.lease.borrow().ends, self.lease.borrow().is_breaking);
            let (renew_at, deadline) = (ends - self.ttl * 2 / 3, ends - self.grace);
            if is_breaking {
                return self.outlast(deadline, orders, next).await;
            }
            if next.is_none() {
                tokio::select! {
                    order = orders.recv() => match order {
                        None => return Ok(()),
                        order => next = order,
                    },
                    () = sleep_until(renew_at) => {}
                    () = others.gathered(renew_at - self.ttl.mul_f64(EARLY)) => {}
                }
            }
            // After a suspension of the machine it may be too late to renew.
            if deadline.left().is_zero() {
                return Err(Lost::Unconfirmed(None));
            }
            let ended = match next.take() {
                // A renewal that is due comes first, because a change may be refused.
                Some(Order::Change { change, done }) if !renew_at.left().is_zero() => {
                    let changing = async {
                        let changed = self.change(change, deadline).await;
                        let lost = match &changed {
                            Err(Error::Lost(lost)) => Err(lost.clone()),
                            _ => Ok(()),
                        };
                        // Fails if nobody waits for the answer any more.
                        let _ = done.send(changed);
                        lost
                    };
                    self.settle(changing, orders, &mut next).await?
                }
                Some(Order::Renew) => self.settle(self.renew_singly(deadline), orders, &mut next).await?,
                order => {
                    next = order;
                    self.settle(self.renew(deadline), orders, &mut next).await?
                }
            };
            if ended {
                return Ok(());
            }
        }
    }

    /// Somebody breaks the lock: nothing is left to do until the guard ends, or until the deadline.
    async fn outlast(
        &self,
        deadline: Moment,
        orders: &mut Receiver<Order>,
        mut next: Option<Order>,
    ) -> Result<(), Lost> {
        loop {
            if let Some(Order::Change { done, .. }) = next.take() {
                let message = "somebody breaks the lock, so nobody can change it".into();
                let _ = done.send(Err(Error::Refused { code: Code::LockBreaking.as_str().into(), message }));
            }
            tokio::select! {
                order = orders.recv() => match order {
                    None => return Ok(()),
                    order => next = order,
                },
                () = sleep_until(deadline) => return Err(Lost::Breaking),
            }
        }
    }

    /// Awaits a request that replaces the token. Returns whether the guard ended meanwhile: then the request has the
    /// patience of the client to come to its end, because only its answer tells which token is right.
    async fn settle(
        &self,
        request: impl Future<Output = Result<(), Lost>>,
        orders: &mut Receiver<Order>,
        next: &mut Option<Order>,
    ) -> Result<bool, Lost> {
        tokio::pin!(request);
        loop {
            tokio::select! {
                done = &mut request => return done.map(|()| false),
                order = orders.recv(), if next.is_none() => match order {
                    None => {
                        let _ = tokio::time::timeout(self.wire.patience, request).await;
                        return Ok(true);
                    }
                    order => *next = order,
                },
            }
        }
    }

    /// Renews before the deadline, or learns that somebody breaks the lock.
    async fn renew(&self, deadline: Moment) -> Result<(), Lost> {
        let token = self.lease.borrow().token.clone();
        let begun = Moment::now();
        let until = begun + deadline.left().mul_f64(TOGETHER);
        match self.renewals.renew(&self.wire, &self.resource, &token, self.ttl, until).await {
            Some(Answer::Done(sent, body)) => {
                if let Ok(lock) = read::<Lock>(body) {
                    self.lease.send_replace(Lease::new(sent, &lock));
                    return Ok(());
                }
            }
            Some(Answer::Refused(refusal)) => {
                if let Some(left) = refusal.grace() {
                    return self.breaking(begun, left);
                }
                if let Error::Lost(lost) = refusal.lost_or_refused() {
                    return Err(lost);
                }
            }
            None => {}
        }
        self.renew_singly(deadline).await
    }

    /// The same without other guards.
    async fn renew_singly(&self, deadline: Moment) -> Result<(), Lost> {
        let (token, key) = (self.lease.borrow().token.clone(), new_key());
        let mut request = requests::extend(&self.resource, &token, self.ttl, Change::Lease, &key);
        // Short enough for a second attempt.
        request.timeout = ANSWER_TIMEOUT.min(self.ttl / 4);
        let begun = Moment::now();
        let answer = tokio::select! {
            answer = self.wire.send(&request, deadline) => answer,
            () = sleep_until(deadline) => return Err(self.no_answer()),
        };
        let refused = match answer {
            Ok(Answer::Done(sent, body)) => {
                let lock: Lock = read(body).map_err(|error| Lost::Unconfirmed(Some(error.to_string())))?;
                self.lease.send_replace(Lease::new(sent, &lock));
                return Ok(());
            }
            Ok(Answer::Refused(refusal)) => match refusal.grace() {
                Some(left) => return self.breaking(begun, left),
                None => refusal.lost_or_refused(),
            },
            Err(error) => error,
        };
        if let Error::Lost(lost) = refused {
            return Err(lost);
        }
        // Until then the client holds the lock, and may release it in time.
        sleep_until(deadline).await;
        Err(Lost::Unconfirmed(Some(refused.to_string())))
    }

    /// Changes the lock before the deadline. If nobody knows at the deadline whether the lock was changed, it is lost: its
    /// token may be another by then.
    async fn change(&self, change: Change, deadline: Moment) -> Result<(), Error> {
        let (token, key) = (self.lease.borrow().token.clone(), new_key());
        let mut request = requests::extend(&self.resource, &token, self.ttl, change, &key);
        request.timeout = ANSWER_TIMEOUT.min(self.ttl / 4);
        let patient = async {
            match self.wire.send(&request, self.wire.give_up().min(deadline)).await {
                Err(Error::Unknown(_)) => self.wire.send(&request, deadline).await,
                told => told,
            }
        };
        let answer = tokio::select! {
            answer = patient => answer,
            () = sleep_until(deadline) => return Err(Error::Lost(self.no_answer())),
        };
        match answer {
            Ok(Answer::Done(sent, body)) => {
                let lock: Lock = read(body).map_err(|error| Error::Lost(Lost::Unconfirmed(Some(error.to_string()))))?;
                self.lease.send_replace(Lease::new(sent, &lock));
                Ok(())
            }
            Ok(Answer::Refused(refusal)) => Err(refusal.not_converted()),
            Err(Error::Unknown(why)) => {
                sleep_until(deadline).await;
                Err(Error::Lost(Lost::Unconfirmed(Some(why))))
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that somebody breaks the lock, which lasted for `left` after a renewal was sent.
    fn breaking(&self, sent: Moment, left: Duration) -> Result<(), Lost> {
        self.lease.send_modify(|lease| *lease = lease.breaking(sent, left));
        Ok(())
    }

    fn no_answer(&self) -> Lost {
        Lost::Unconfirmed(Some(format!("{} does not answer", self.wire.url)))
    }

    async fn release(&self) -> Result<(), Error> {
        if !self.releases.load(Relaxed) {
            return Ok(());
        }
        let (token, key) = (self.lease.borrow().token.clone(), new_key());
        match self.wire.send(&requests::release(&self.resource, &token, &key), self.wire.give_up()).await? {
            Answer::Done(..) => Ok(()),
            Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        }
    }
}

/// Has the keeper change its lock.
pub(crate) async fn change_by(
    orders: mpsc::Sender<Order>,
    change: Change,
    mut lost: watch::Receiver<Option<Lost>>,
) -> Result<(), Error> {
    let (done, told) = oneshot::channel();
    let sent = orders.send(Order::Change { change, done }).await;
    // The keeper ends when nobody can give orders.
    drop(orders);
    if sent.is_ok()
        && let Ok(changed) = told.await
    {
        return changed;
    }
    // The keeper takes no more orders once the lock is lost.
    let lost = lost.wait_for(Option::is_some).await.ok().and_then(|lost| lost.clone());
    Err(lost.map_or_else(|| Error::Unknown("the renewing has ended".into()), Error::Lost))
}

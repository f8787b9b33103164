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
    progress::{Progress, Report},
    renewals::Renewals,
    requests::{self, Change, new_key},
    terms::Terms,
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
    /// Whom to tell the trouble of renewals.
    pub report: Report,
    pub resource: String,
    pub terms: Terms,
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
            let lease = self.lease.borrow().clone();
            let (is_breaking, ttl) = (lease.is_breaking, self.terms.ttl);
            let (renew_at, deadline) = (lease.ends - ttl * 2 / 3, self.terms.deadline(&lease));
            if is_breaking {
                return self.outlast(deadline, orders, next).await;
            }
            if next.is_none() {
                tokio::select! {
                    order = orders.recv() => match order {
                        None => return Ok(()),
                        order => next = order,
                    },
                    () = sleep_until(renew_at.min(deadline)) => {}
                    () = others.gathered(renew_at - ttl.mul_f64(EARLY)) => {}
                }
            }
            // After a suspension of the machine it may be too late to renew.
            if deadline.left().is_zero() {
                return Err(self.terms.lost(Lost::Unconfirmed(None)));
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
                let _ = done.send(Err(Error::refused(Code::LockBreaking.as_str(), message)));
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
        match self.renewals.renew(&self.wire, &self.resource, &token, self.terms.ttl, until).await {
            Some(Answer::Done(sent, body)) => {
                if let Ok(lock) = read::<Lock>(body) {
                    return self.confirmed(sent, &lock);
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
        let token = self.lease.borrow().token.clone();
        // Short enough for a second attempt.
        let patience = (ANSWER_TIMEOUT.min(self.terms.ttl / 4), deadline);
        let begun = Moment::now();
        let trouble = |why: &str| self.trouble(why);
        let renewing = self.renewals.renew_one(&self.wire, &self.resource, &token, self.terms.ttl, patience, trouble);
        let answer = tokio::select! {
            answer = renewing => answer,
            () = sleep_until(deadline) => return Err(self.no_answer()),
        };
        let refused = match answer {
            Ok(Answer::Done(sent, body)) => {
                let lock: Lock = read(body).map_err(|error| Lost::Unconfirmed(Some(error.to_string())))?;
                return self.confirmed(sent, &lock);
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
        Err(self.terms.lost(Lost::Unconfirmed(Some(refused.to_string()))))
    }

    /// Changes the lock before the deadline. If nobody knows at the deadline whether the lock was changed, it is lost: its
    /// token may be another by then.
    async fn change(&self, change: Change, deadline: Moment) -> Result<(), Error> {
        let (token, key) = (self.lease.borrow().token.clone(), new_key());
        let mut request = requests::extend(&self.resource, &token, self.terms.ttl, change, &key);
        request.timeout = ANSWER_TIMEOUT.min(self.terms.ttl / 4);
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
                self.confirmed(sent, &lock).map_err(Error::Lost)
            }
            Ok(Answer::Refused(refusal)) => Err(refusal.not_converted()),
            Err(Error::Unknown(why)) => {
                sleep_until(deadline).await;
                Err(Error::Lost(Lost::Unconfirmed(Some(why.to_string()))))
            }
            Err(error) => Err(error),
        }
    }

    /// The lease goes on, unless its deadline is over: whoever looked since then was told that the lock is lost, and must
    /// not be told otherwise later.
    fn confirmed(&self, sent: Moment, lock: &Lock) -> Result<(), Lost> {
        let mut is_late = false;
        // Nobody looks at the lease meanwhile. A late answer is no renewal, so nobody is told of it.
        self.lease.send_if_modified(|lease| {
            is_late = self.terms.deadline(lease).left().is_zero();
            match is_late {
                // The token with which the lock can be released.
                true => lease.token = lock.token.clone(),
                false => *lease = Lease::new(sent, lock),
            }
            !is_late
        });
        match is_late {
            true => Err(self.terms.lost(Lost::Unconfirmed(Some("the answer came too late".into())))),
            false => Ok(()),
        }
    }

    /// Notes that somebody breaks the lock, which lasted for `left` after a renewal was sent.
    fn breaking(&self, sent: Moment, left: Duration) -> Result<(), Lost> {
        self.lease.send_modify(|lease| *lease = lease.breaking(sent, left));
        Ok(())
    }

    /// Makes the lease last for as long as others are to be kept out. The release after that takes what is too much.
    async fn extend_to_the_least(&self) -> Result<(), Error> {
        let token = self.lease.borrow().token.clone();
        let (ttl, patience) = (self.terms.at_least.left().max(self.terms.ttl), (ANSWER_TIMEOUT, self.wire.give_up()));
        let trouble = |why: &str| self.trouble(why);
        match self.renewals.renew_one(&self.wire, &self.resource, &token, ttl, patience, trouble).await? {
            Answer::Done(sent, body) => {
                let lock: Lock = read(body)?;
                self.lease.send_modify(|lease| *lease = Lease::new(sent, &lock));
                Ok(())
            }
            Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        }
    }

    fn trouble(&self, why: &str) {
        self.report.tell(Progress::RenewalTrouble(why.into()));
    }

    fn no_answer(&self) -> Lost {
        self.terms.lost(Lost::Unconfirmed(Some(format!("{} does not answer", self.wire.url))))
    }

    async fn release(&self) -> Result<(), Error> {
        if !self.releases.load(Relaxed) {
            return Ok(());
        }
        if self.terms.at_least.left() > self.lease.borrow().ends.left() {
            self.extend_to_the_least().await?;
        }
        let (token, key, missing) = (self.lease.borrow().token.clone(), new_key(), self.terms.at_least.left());
        let request = match missing.is_zero() {
            true => requests::release(&self.resource, &token, &key),
            false => requests::release_later(&self.resource, &token, missing, &key),
        };
        match self.wire.send(&request, self.wire.give_up()).await? {
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

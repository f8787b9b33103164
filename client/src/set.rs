//! Several locks, all or none.

use std::{future::poll_fn, mem, sync::Arc, task::Poll, time::Duration};

use gorilla_wire::{AcquireSet, Batched, ItemResult, LockSet, SetPart};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    asking::Asking,
    error::{Error, Lost},
    guard::{Guard, Left},
    kind::Kind,
    lease::Lease,
    progress::{Progress, Report},
    renewals::Renewals,
    requests::{self, new_key},
    wire::{Answer, Hints, Wire, read},
};

/// How long one request waits at most: long, because a set begins anew with each request, and gives back what it has.
const PIECE: Duration = Duration::from_secs(60);

/// One of several locks to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    resource: String,
    kind: Kind,
}

impl Part {
    /// The exclusive lock with this name.
    pub fn new(resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), kind: Kind::Exclusive }
    }

    /// Sets how to hold the lock.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

impl<Name: Into<String>> From<Name> for Part {
    fn from(resource: Name) -> Self {
        Self::new(resource)
    }
}

/// A request for several locks, all or none.
#[must_use = "nothing is asked for until `acquire` is awaited"]
pub struct LocksRequest {
    parts: Vec<Part>,
    asking: Asking,
}

impl LocksRequest {
    pub(crate) fn new(wire: Wire, renewals: Arc<Renewals>, parts: Vec<Part>) -> Self {
        Self { parts, asking: Asking::new(wire, renewals) }
    }

    /// Sets the lease of each lock, as [`LockRequest::ttl`](crate::LockRequest::ttl) does.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.asking.ttl = ttl;
        self
    }

    /// Sets the grace, as [`LockRequest::grace`](crate::LockRequest::grace) does.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.asking.grace = Some(grace);
        self
    }

    /// Sets how long to wait for all locks together, as [`LockRequest::wait`](crate::LockRequest::wait) does.
    ///
    /// The set waits in one queue at a time, in the order of the names, so that no set waits for another that waits for
    /// it. While it waits, it holds the locks before that name.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.asking.wait = wait;
        self
    }

    /// Sets the owner, as [`LockRequest::owner`](crate::LockRequest::owner) does.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.asking.owner = Some(owner.into());
        self
    }

    /// Sets what the server keeps with each lock: any JSON.
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.asking.metadata = metadata;
        self
    }

    /// Calls `report` as [`LockRequest::on_progress`](crate::LockRequest::on_progress) does.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'static) -> Self {
        self.asking.report = Report::to(report);
        self
    }

    /// Takes all locks, and renews them until the guard is released or dropped.
    ///
    /// Dropping the future gives up: the server gives back what it has granted.
    ///
    /// # Errors
    /// [`Error::NotAcquired`] if another client has one of the locks at the end of the wait; then this client has none
    /// of them. Any kind but [`Error::Lost`].
    pub async fn acquire(mut self) -> Result<GuardSet, Error> {
        let grace = self.asking.checked_grace()?;
        loop {
            let parts = &self.parts;
            let (sent, body) = self
                .asking
                .ask(PIECE, |fields, key| {
                    let resources = parts.iter().map(|Part { resource, kind }| {
                        let (mode, limit, permits) = kind.fields();
                        SetPart { resource: Some(json!(resource)), mode: Some(mode), limit, permits }
                    });
                    let body = AcquireSet {
                        owner: fields.owner,
                        timeout: fields.timeout,
                        metadata: fields.metadata,
                        wait: fields.wait,
                        resources: Some(json!(resources.collect::<Vec<_>>())),
                    };
                    requests::acquire_set(&body, key)
                })
                .await?;
            let set: LockSet = read(body)?;
            let from = sent + Duration::from_millis(set.waited_ms);
            let guards = set.locks.into_iter().map(|lock| {
                let lease = Lease::new(from, &lock);
                let Asking { wire, renewals, report, .. } = &self.asking;
                Guard::new(wire.clone(), Arc::clone(renewals), report.clone(), lock, lease, self.asking.terms(grace))
            });
            let set = GuardSet { guards: guards.collect() };
            // If an answer was lost, the grants may be old.
            if set.is_held() {
                return Ok(set);
            }
            let _ = set.release().await;
        }
    }
}

/// The guard of several locks that are held. It renews all of them, in few requests, until it is released or dropped or
/// one of the locks is lost.
#[derive(Debug)]
#[must_use = "a guard that is dropped releases the locks"]
pub struct GuardSet {
    guards: Vec<Guard>,
}

impl From<Guard> for GuardSet {
    fn from(guard: Guard) -> Self {
        Self { guards: vec![guard] }
    }
}

impl GuardSet {
    /// The guard of each lock, in the order of the request. Write to each resource with the fence of its own lock.
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// The guard of the lock with this name.
    pub fn get(&self, resource: &str) -> Option<&Guard> {
        self.guards.iter().find(|guard| guard.resource() == resource)
    }

    /// Completes when the first of the locks counts as lost, as [`Guard::lost`] does. The other locks are held then.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static {
        let mut each: Vec<_> = self.guards.iter().map(|guard| Box::pin(guard.lost())).collect();
        poll_fn(move |context| {
            let lost = each.iter_mut().find_map(|lost| match lost.as_mut().poll(context) {
                Poll::Ready(lost) => Some(lost),
                Poll::Pending => None,
            });
            lost.map_or(Poll::Pending, Poll::Ready)
        })
    }

    /// Whether one of the locks counts as lost at this moment, as [`Guard::is_lost`] says.
    pub fn is_lost(&self) -> bool {
        self.guards.iter().any(Guard::is_lost)
    }

    /// Whether all locks are held for sure at this moment.
    pub fn is_held(&self) -> bool {
        !self.is_lost()
    }

    /// Gives all locks back in one request, the last first, and waits until the server has confirmed it. If the future
    /// is dropped, the locks are given back in the background.
    ///
    /// # Errors
    /// As [`Guard::release`], for the first lock that has one. The other locks are given back all the same.
    pub async fn release(mut self) -> Result<(), Error> {
        let guards = mem::take(&mut self.guards);
        let released = tokio::spawn(release(guards)).await;
        released.unwrap_or_else(|error| Err(Error::Unknown(format!("the releasing has ended: {error}").into())))
    }
}

async fn release(mut guards: Vec<Guard>) -> Result<(), Error> {
    if guards.len() < 2 {
        return match guards.pop() {
            Some(guard) => guard.release().await,
            None => Ok(()),
        };
    }
    let mut outcome = Ok(());
    let mut left = Vec::with_capacity(guards.len());
    // All of them end at once.
    let leaving: Vec<_> = guards.into_iter().rev().map(Guard::leave).collect();
    for guard in leaving {
        let guard = guard.await;
        if let Some(lost) = &guard.lost {
            outcome = outcome.and(Err(lost.clone()));
        }
        // What was not lost for sure may still be there.
        if !matches!(guard.lost, Some(Error::Lost(Lost::Ended(_)))) {
            left.push(guard);
        }
    }
    let Some(wire) = left.first().map(|left| left.wire.clone()) else { return outcome };
    let mut results = vec![None; left.len()];
    let key = new_key();
    let request = requests::release_all(left.iter().map(|Left { resource, token, .. }| (&**resource, token)), &key);
    if let Ok(Answer::Done(sent, body)) = wire.send(&request, wire.give_up()).await
        && let Ok(Batched { results: told, .. }) = read(body)
    {
        for ItemResult { index, status, body, .. } in told {
            let Ok(status) = StatusCode::from_u16(status) else { continue };
            if let Some(result) = results.get_mut(index)
                && let Ok(answer) = wire.judge(sent, status, Hints::default(), body.unwrap_or_default())
            {
                *result = Some(match answer {
                    Answer::Done(..) => Ok(()),
                    Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
                });
            }
        }
    }
    for (left, result) in left.into_iter().zip(results) {
        let result = match result {
            Some(result) => result,
            // The batch doesn't tell. Singly with the same key, a release that was done is answered as done.
            None => match wire.send(&requests::release(&left.resource, &left.token, &key), wire.give_up()).await {
                Ok(Answer::Done(..)) => Ok(()),
                Ok(Answer::Refused(refusal)) => Err(refusal.lost_or_refused()),
                Err(error) => Err(error),
            },
        };
        if left.lost.is_none() {
            outcome = outcome.and(result);
        }
    }
    outcome
}

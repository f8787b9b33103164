//! Asking for a lock, and waiting for it in the server's queue.

use std::time::Duration;

use gorilla_wire::{Acquire, Code};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    Lock,
    client::{Client, extend, lost_or_refused, new_key, path},
    clock::Moment,
    error::{Busy, Error},
    guard::{Guard, Lease},
    wire::{ANSWER_TIMEOUT, Answer, Request, Retry, Trouble, read},
};

const TTL: Duration = Duration::from_secs(30);
const LONGEST_GRACE: Duration = Duration::from_secs(5);
/// How long one request waits: at first a moment, to learn who is in the way, and then long. The server keeps the place
/// from one to the next.
const FIRST_PIECE: Duration = Duration::from_secs(1);
const PIECE: Duration = Duration::from_secs(10);
const SHORTEST_PIECE: Duration = Duration::from_millis(100);
/// How long somebody who has waited in the queue goes on while the server is away.
const OUTAGE: Duration = Duration::from_secs(60);

/// How much later than the wait the answer to a request may come that is on its way; the server gives Redis a second.
const LATE: Duration = Duration::from_secs(1);

/// What the waiting has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Somebody is in the way.
    Waiting(Busy),
    /// The server can't be reached or can't serve, and is asked again.
    Trouble(String),
}

/// What to ask for.
#[must_use = "nothing is asked for until `acquire` is awaited"]
pub struct LockRequest {
    client: Client,
    resource: String,
    owner: Option<String>,
    ttl: Duration,
    grace: Option<Duration>,
    wait: Duration,
    metadata: Value,
    report: Box<dyn FnMut(Progress) + Send>,
}

impl LockRequest {
    pub(crate) fn new(client: Client, resource: String) -> Self {
        Self {
            client,
            resource,
            owner: None,
            ttl: TTL,
            grace: None,
            wait: Duration::ZERO,
            metadata: json!([]),
            report: Box::new(|_| {}),
        }
    }

    /// The lease: how long the lock lasts after the last renewal; 30 s unless it is set.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long before the lease may have run out the lock counts as lost, so that there is time to stop; a sixth of the
    /// lease, and at most 5 s, unless it is set. At most half of the lease.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// How long to wait for the lock, first come, first served; not at all unless it is set. [`Duration::MAX`] is for ever.
    ///
    /// It also bounds how long a server is tried that is away: no attempt begins later, and an answer that is still to come
    /// is waited for at most one second more. Who does not wait has the patience of the client.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Who asks, for people to read; the name of the machine and the id of the process unless it is set.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// What the server is to keep with the lock: any JSON.
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = metadata;
        self
    }

    /// Is told how the waiting goes.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'static) -> Self {
        self.report = Box::new(report);
        self
    }

    /// Takes the lock, and renews it until the guard is released or dropped.
    ///
    /// Dropping the future gives up: the server takes the request out of its queue, and gives back what it granted.
    ///
    /// # Errors
    /// [`Error::NotAcquired`] if somebody else has it at the end of the wait; any kind but [`Error::Lost`].
    pub async fn acquire(mut self) -> Result<Guard, Error> {
        let grace = self.grace.unwrap_or((self.ttl / 6).min(LONGEST_GRACE));
        if grace > self.ttl / 2 {
            let message = format!("the grace ({grace:?}) must be at most half of the lease ({:?})", self.ttl);
            return Err(Error::Refused { code: Code::InvalidRequest.as_str().into(), message });
        }
        loop {
            let (sent, lock) = self.ask().await?;
            // The grant may be younger than the request that it answers, which waited; or older, if an answer was lost. A
            // renewal tells exactly, and makes it last.
            let lease = Lease::new(sent, lock.ttl, &lock);
            let (lock, lease) = match lease.ends.left() < self.ttl.mul_f64(0.9) {
                false => (lock, lease),
                true => match renew(&self.client, &lock, self.ttl, lease.ends).await {
                    Ok(renewed) => renewed,
                    Err(Error::Lost(_)) => continue,
                    Err(error) => return Err(error),
                },
            };
            return Ok(Guard::new(self.client, lock, lease, self.ttl, grace));
        }
    }

    /// Takes the lock and leaves the rest to the caller: it ends with its lease unless it is extended. For locks that
    /// outlive the process.
    ///
    /// # Errors
    /// As [`LockRequest::acquire`].
    pub async fn acquire_unguarded(mut self) -> Result<Lock, Error> {
        self.ask().await.map(|(_, lock)| lock)
    }

    /// The lock, and when the request was sent that was answered with it.
    async fn ask(&mut self) -> Result<(Moment, Lock), Error> {
        let begun = Moment::now();
        let deadline = begun + self.wait;
        let new_retry = || if self.wait.is_zero() { Retry::new() } else { Retry::of_waiter() };
        let (mut key, mut retry) = (new_key(), new_retry());
        let (mut piece, mut longest) = (FIRST_PIECE, PIECE);
        let mut heard = None;
        let owner = self.owner.clone().unwrap_or_else(default_owner);
        loop {
            let wait = deadline.left().min(piece);
            let body = Acquire::<Value> {
                owner: Some(owner.as_str().into()),
                timeout: Some(self.ttl.as_secs_f64().into()),
                metadata: Some(self.metadata.clone()),
                wait: (!wait.is_zero()).then(|| wait.as_secs_f64().into()),
            };
            let request = Request {
                method: Method::POST,
                path: path(&self.resource),
                token: None,
                key: Some(&key),
                body: Some(json!(body)),
                timeout: match self.wait.is_zero() {
                    true => ANSWER_TIMEOUT,
                    false => (wait + ANSWER_TIMEOUT).min((deadline + LATE).left()),
                },
            };
            let refusal = match self.client.exchange(&request).await {
                Ok(Answer::Done(sent, body)) => return Ok((sent, read(body)?)),
                Ok(Answer::Refused(refusal)) => refusal,
                Err(trouble) => {
                    let patient = begun + self.client.patience;
                    let give_up = match self.wait.is_zero() {
                        true => patient,
                        false => heard.map_or(patient, |heard: Moment| (heard + OUTAGE).max(patient)).min(deadline),
                    };
                    let Trouble { why, .. } = &trouble;
                    (self.report)(Progress::Trouble(why.clone()));
                    retry.pause(trouble, give_up).await?;
                    continue;
                }
            };
            (heard, retry) = (Some(Moment::now()), new_retry());
            match refusal.known() {
                Some(Code::WaitTimeout | Code::LockHeld | Code::LockReserved) => {
                    let busy = refusal.busy();
                    if deadline.left().is_zero() {
                        return Err(Error::NotAcquired(busy));
                    }
                    (self.report)(Progress::Waiting(busy));
                    piece = longest.min(piece * 4);
                }
                // It was granted, the answer got lost, and the lease has ended since.
                Some(Code::LockGone) => key = new_key(),
                // The server allows less.
                Some(Code::InvalidRequest) if refusal.field() == Some("wait") && wait > SHORTEST_PIECE => {
                    longest = wait / 2;
                    piece = longest;
                }
                _ => return Err(refusal.into()),
            }
        }
    }
}

async fn renew(client: &Client, lock: &Lock, ttl: Duration, ends: Moment) -> Result<(Lock, Lease), Error> {
    let key = new_key();
    // It may be that the lease is just over; the answer tells.
    let give_up = ends.max(Moment::now() + client.patience);
    match client.send(&extend(&lock.resource, &lock.token, ttl, &key), give_up).await? {
        Answer::Refused(refusal) => Err(lost_or_refused(refusal)),
        Answer::Done(sent, body) => {
            let lock: Lock = read(body)?;
            let lease = Lease::new(sent, lock.ttl, &lock);
            Ok((lock, lease))
        }
    }
}

fn default_owner() -> String {
    format!("{}:{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}

//! Asks for a lock, and waits for it in the queue of the server.

use std::time::Duration;

use gorilla_wire::{Acquire, Code};
use serde_json::{Value, json};

use crate::{
    Lock,
    clock::Moment,
    error::{Busy, Error},
    guard::{Guard, Lease},
    kind::Kind,
    requests::{self, new_key},
    wire::{ANSWER_TIMEOUT, Answer, Retry, Trouble, Wire, read},
};

const TTL: Duration = Duration::from_secs(30);
const LONGEST_GRACE: Duration = Duration::from_secs(5);
/// How long a request waits: the first request for a moment, to learn who holds the lock, and later requests for long.
/// The server keeps the place from one request to the next.
const FIRST_PIECE: Duration = Duration::from_secs(1);
const PIECE: Duration = Duration::from_secs(10);
const SHORTEST_PIECE: Duration = Duration::from_millis(100);
/// How long a client that has waited in the queue goes on while it can't reach the server.
const OUTAGE: Duration = Duration::from_secs(60);

/// How much later than the end of the wait an answer may come. The server gives Redis a second.
const LATE: Duration = Duration::from_secs(1);

/// What happens while a request waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Another client has the lock.
    Waiting(Busy),
    /// The server can't be reached or can't serve. The client asks again.
    Trouble(String),
}

/// A request for a lock.
#[must_use = "nothing is asked for until `acquire` is awaited"]
pub struct LockRequest {
    wire: Wire,
    resource: String,
    kind: Kind,
    owner: Option<String>,
    ttl: Duration,
    grace: Option<Duration>,
    wait: Duration,
    metadata: Value,
    report: Box<dyn FnMut(Progress) + Send>,
}

impl LockRequest {
    pub(crate) fn new(wire: Wire, resource: String) -> Self {
        Self {
            wire,
            resource,
            kind: Kind::Exclusive,
            owner: None,
            ttl: TTL,
            grace: None,
            wait: Duration::ZERO,
            metadata: json!([]),
            report: Box::new(|_| {}),
        }
    }

    /// Shares the lock with all others that share it, as readers do. By default the lock is exclusive.
    pub fn shared(self) -> Self {
        let kind = match self.kind {
            Kind::Exclusive => Kind::shared(),
            shared => shared,
        };
        self.kind(kind)
    }

    /// Shares the lock, with at most so many permits for all holders together: a semaphore. All clients of a lock must
    /// name the same limit.
    pub fn limit(self, limit: u32) -> Self {
        let kind = self.kind.with_limit(limit);
        self.kind(kind)
    }

    /// Shares the lock, and takes so many of the permits; one by default. Needs a [limit](LockRequest::limit).
    pub fn permits(self, permits: u32) -> Self {
        let kind = self.kind.with_permits(permits);
        self.kind(kind)
    }

    /// Sets how to hold the lock.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets the lease: how long the lock lasts after the last renewal. 30 s by default.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the grace: the lock counts as lost so long before the lease may have run out, so that there is time to
    /// stop. By default a sixth of the lease, and at most 5 s. At most half of the lease.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets how long to wait for the lock, first come, first served. By default the request doesn't wait.
    /// [`Duration::MAX`] is for ever.
    ///
    /// The wait also bounds how long the client tries to reach a server: no attempt begins later, and the client waits
    /// at most one second more for an answer. A request that doesn't wait has the patience of the client instead.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets the owner, a label for people. By default the name of the machine and the id of the process.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Sets what the server keeps with the lock: any JSON.
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = metadata;
        self
    }

    /// Calls `report` with what happens while the request waits.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'static) -> Self {
        self.report = Box::new(report);
        self
    }

    /// Takes the lock, and renews it until the guard is released or dropped.
    ///
    /// Dropping the future gives up: the server takes the request out of its queue, and gives back what it granted.
    ///
    /// # Errors
    /// [`Error::NotAcquired`] if another client has the lock at the end of the wait; any kind but [`Error::Lost`].
    pub async fn acquire(mut self) -> Result<Guard, Error> {
        let grace = self.grace.unwrap_or((self.ttl / 6).min(LONGEST_GRACE));
        if grace > self.ttl / 2 {
            let message = format!("the grace ({grace:?}) must be at most half of the lease ({:?})", self.ttl);
            return Err(Error::Refused { code: Code::InvalidRequest.as_str().into(), message });
        }
        loop {
            let (sent, lock) = self.ask().await?;
            // The grant may be younger than its request, which waited, or older, if an answer was lost. A renewal tells
            // exactly when the lease ends, and makes it whole again.
            let lease = Lease::new(sent, &lock);
            let (lock, lease) = match lease.ends.left() < self.ttl.mul_f64(0.9) {
                false => (lock, lease),
                true => match renew(&self.wire, &lock, self.ttl, lease.ends).await {
                    Ok(renewed) => renewed,
                    Err(Error::Lost(_)) => continue,
                    // The lock ends soon, and was of no use yet.
                    Err(Error::Refused { code, .. }) if code == Code::LockBreaking.as_str() => continue,
                    Err(error) => return Err(error),
                },
            };
            return Ok(Guard::new(self.wire, lock, lease, self.ttl, grace));
        }
    }

    /// Takes the lock and does not renew it: the lock ends with its lease unless the caller extends it. For locks that
    /// outlive the process.
    ///
    /// # Errors
    /// As [`LockRequest::acquire`].
    pub async fn acquire_unguarded(mut self) -> Result<Lock, Error> {
        self.ask().await.map(|(_, lock)| lock)
    }

    /// The lock, and when the client sent the request that was granted it.
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
            // Servers that know no shared locks refuse these fields, so an exclusive lock is asked for without them.
            let (mode, limit, permits) = match self.kind {
                Kind::Exclusive => Default::default(),
                shared => {
                    let (mode, limit, permits) = shared.fields();
                    (Some(mode), limit, permits)
                }
            };
            let body = Acquire::<Value> {
                owner: Some(owner.as_str().into()),
                timeout: Some(self.ttl.as_secs_f64().into()),
                metadata: Some(self.metadata.clone()),
                wait: (!wait.is_zero()).then(|| wait.as_secs_f64().into()),
                mode,
                limit,
                permits,
                ..Acquire::default()
            };
            let mut request = requests::acquire(&self.resource, &body, &key);
            if !self.wait.is_zero() {
                request.timeout = (wait + ANSWER_TIMEOUT).min((deadline + LATE).left());
            }
            let refusal = match self.wire.exchange(&request).await {
                Ok(Answer::Done(sent, body)) => return Ok((sent, read(body)?)),
                Ok(Answer::Refused(refusal)) => refusal,
                Err(trouble) => {
                    let patient = begun + self.wire.patience;
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
                // The server granted the lock, the answer got lost, and the lease has ended since.
                Some(Code::LockGone) => key = new_key(),
                // The server allows only shorter waits.
                Some(Code::InvalidRequest) if refusal.field() == Some("wait") && wait > SHORTEST_PIECE => {
                    longest = wait / 2;
                    piece = longest;
                }
                _ => return Err((*refusal).into()),
            }
        }
    }
}

async fn renew(wire: &Wire, lock: &Lock, ttl: Duration, ends: Moment) -> Result<(Lock, Lease), Error> {
    let key = new_key();
    // Asks even if the lease may just be over: the answer tells.
    let give_up = ends.max(wire.give_up());
    match wire.send(&requests::extend(&lock.resource, &lock.token, ttl, None, &key), give_up).await? {
        Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        Answer::Done(sent, body) => {
            let lock: Lock = read(body)?;
            let lease = Lease::new(sent, &lock);
            Ok((lock, lease))
        }
    }
}

fn default_owner() -> String {
    format!("{}:{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}

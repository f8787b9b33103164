//! A request for a lock.

use std::{sync::Arc, time::Duration};

use gorilla_wire::{Acquire, Code};
use serde_json::Value;

use crate::{
    Lock, Token,
    asking::Asking,
    clock::Moment,
    error::Error,
    guard::Guard,
    kind::Kind,
    lease::Lease,
    progress::{Progress, Report},
    renewals::Renewals,
    requests,
    undo::Granted,
    wire::{ANSWER_TIMEOUT, Answer, Wire, read},
};

/// How long one request waits at most. The server keeps the place from one request to the next.
const PIECE: Duration = Duration::from_secs(10);

/// A request for a lock.
#[must_use = "nothing is asked for until `acquire` is awaited"]
pub struct LockRequest {
    resource: String,
    kind: Kind,
    headstart: Duration,
    replaces: Option<String>,
    asking: Asking,
}

impl LockRequest {
    pub(crate) fn new(wire: Wire, renewals: Arc<Renewals>, resource: String) -> Self {
        let asking = Asking::new(wire, renewals);
        Self { resource, kind: Kind::Exclusive, headstart: Duration::ZERO, replaces: None, asking }
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
        self.asking.ttl = ttl;
        self
    }

    /// Sets the grace: the lock counts as lost so long before the lease may have run out, so that there is time to
    /// stop. By default a sixth of the lease, and at most 5 s. At most half of the lease.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.asking.grace = Some(grace);
        self
    }

    /// Sets for how long others are not granted the lock, at least, also if it is released before: so that a quick job
    /// that several machines start at the same minute runs once. Only for exclusive locks.
    pub fn at_least(mut self, at_least: Duration) -> Self {
        self.asking.at_least = at_least;
        self
    }

    /// Sets after how long the lock counts as lost, whatever the server says. By default it may be held for ever.
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.asking.max_hold = max_hold;
        self
    }

    /// How long the request waits.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.asking.wait
    }

    /// Sets how long the next attempt waits.
    pub(crate) fn set_wait(&mut self, wait: Duration) {
        self.asking.wait = wait;
    }

    /// Sets how long to wait for the lock, first come, first served. By default the request doesn't wait.
    /// [`Duration::MAX`] is for ever.
    ///
    /// The wait also bounds how long the client tries to reach a server: no attempt begins later, and the client waits
    /// at most one second more for an answer. A request that doesn't wait has the patience of the client instead.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.asking.wait = wait;
        self
    }

    /// Counts the request in the queue as if it had arrived so much earlier: it comes before those that arrived within
    /// this time, and after all others. The server allows at most its longest wait, 60 s by default.
    pub fn headstart(mut self, headstart: Duration) -> Self {
        self.headstart = headstart;
        self
    }

    /// Dismisses the request that waits for the lock with the same text when this request joins the queue. A request
    /// that was dismissed fails with [`Error::Refused`] and the code `replaced`. 1 to 256 bytes.
    pub fn replaces(mut self, text: impl Into<String>) -> Self {
        self.replaces = Some(text.into());
        self
    }

    /// Sets the owner, a label for people. By default the name of the machine and the id of the process.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.asking.owner = Some(owner.into());
        self
    }

    /// Sets what the server keeps with the lock: any JSON.
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.asking.metadata = metadata;
        self
    }

    /// Calls `report` with what happens while the request waits, and with the trouble that renewals have as long as the
    /// lock is held. `report` must not block.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'static) -> Self {
        self.asking.report = Report::to(report);
        self
    }

    /// Takes the lock, and renews it until the guard is released or dropped.
    ///
    /// Dropping the future gives up: the server takes the request out of its queue, and gives back what it granted. To be
    /// sure of that, the client asks once more in the background, and releases what it is granted.
    ///
    /// # Errors
    /// [`Error::NotAcquired`] if another client has the lock at the end of the wait; any kind but [`Error::Lost`].
    pub async fn acquire(mut self) -> Result<Guard, Error> {
        self.take().await
    }

    /// As [`LockRequest::acquire`], for a request that is made again later.
    pub(crate) async fn take(&mut self) -> Result<Guard, Error> {
        let grace = self.asking.checked_grace()?;
        if !self.asking.at_least.is_zero() && self.kind != Kind::Exclusive {
            let message = "only an exclusive lock can be held for at least so long".into();
            return Err(Error::refused(Code::InvalidRequest.as_str(), message));
        }
        let ttl = self.asking.ttl;
        loop {
            let (from, lock) = self.ask().await?;
            // The grant may be younger than its request, which waited at a server that doesn't tell how long, or older,
            // if an answer was lost. A renewal tells exactly when the lease ends, and makes it whole again.
            let lease = Lease::new(from, &lock);
            let (lock, lease) = match lease.ends.left() < ttl.mul_f64(0.9) {
                false => (lock, lease),
                true => {
                    let granted = Granted::new(&self.asking.wire, lock.clone());
                    // Asks even if the lease may just be over: the answer tells.
                    let give_up = lease.ends.max(self.asking.wire.give_up());
                    let renewed = renew(&self.asking, &lock.resource, &lock.token, give_up).await;
                    match renewed {
                        Ok(renewed) => {
                            granted.keep();
                            renewed
                        }
                        Err(Error::Lost(_)) => {
                            granted.keep();
                            continue;
                        }
                        // The lock ends soon, and was of no use yet.
                        Err(Error::Refused { code, .. }) if code == Code::LockBreaking.as_str() => continue,
                        Err(error) => return Err(error),
                    }
                }
            };
            let Asking { wire, renewals, report, .. } = &self.asking;
            let (wire, renewals, report) = (wire.clone(), Arc::clone(renewals), report.clone());
            return Ok(Guard::new(wire, renewals, report, lock, lease, self.asking.terms(grace)));
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

    /// The lock, and a moment after which its lease began.
    async fn ask(&mut self) -> Result<(Moment, Lock), Error> {
        // Servers that know no shared locks refuse these fields, so an exclusive lock is asked for without them.
        let (mode, limit, permits) = match self.kind {
            Kind::Exclusive => Default::default(),
            shared => {
                let (mode, limit, permits) = shared.fields();
                (Some(mode), limit, permits)
            }
        };
        // So do servers that know no urgent requests. A request that comes back to its place names the same.
        let headstart = (!self.headstart.is_zero()).then(|| Value::from(self.headstart.as_secs_f64()));
        let replaces = self.replaces.as_deref().map(Value::from);
        let resource = &self.resource;
        let asked = self.asking.ask(PIECE, |fields, key| {
            let body = Acquire::<Value> {
                owner: fields.owner,
                timeout: fields.timeout,
                metadata: fields.metadata,
                wait: fields.wait,
                mode: mode.clone(),
                limit: limit.clone(),
                permits: permits.clone(),
                headstart: headstart.clone(),
                replaces: replaces.clone(),
            };
            requests::acquire(resource, &body, key)
        });
        let (sent, body) = asked.await?;
        let lock: Lock = read(body)?;
        Ok((sent + Duration::from_millis(lock.waited_ms.unwrap_or_default()), lock))
    }
}

/// Renews a lock that nobody keeps yet.
pub(crate) async fn renew(
    asking: &Asking,
    resource: &str,
    token: &Token,
    give_up: Moment,
) -> Result<(Lock, Lease), Error> {
    let Asking { wire, renewals, report, ttl, .. } = asking;
    let patience = (ANSWER_TIMEOUT, give_up);
    let trouble = |why: &str| report.tell(Progress::Trouble(why.into()));
    match renewals.renew_one(wire, resource, token, *ttl, patience, trouble).await? {
        Answer::Refused(refusal) => Err(refusal.lost_or_refused()),
        Answer::Done(sent, body) => {
            let lock: Lock = read(body)?;
            let lease = Lease::new(sent, &lock);
            Ok((lock, lease))
        }
    }
}

//! Leads an election: campaigns, runs a body while it leads, and campaigns again after a loss.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::Value;

use crate::{
    Moment, Progress,
    acquire::LockRequest,
    clock::sleep_until,
    error::{Error, Lost},
    guard::Guard,
    leading::Leading,
};

/// From an attempt that found no server to the next, on average.
const PAUSE: Duration = Duration::from_secs(1);

/// A campaign for the leadership of an election. The election is the lock of its name, and the leader holds the lock.
#[must_use = "nobody campaigns until `run` is awaited"]
pub struct Campaign {
    request: LockRequest,
    /// Whether a server has answered.
    heard: Arc<AtomicBool>,
}

impl Campaign {
    pub(crate) fn new(request: LockRequest) -> Self {
        Self { request: request.wait(Duration::MAX), heard: Arc::default() }.on_progress(|_| {})
    }

    /// Sets the lease: how long the leadership lasts after the last renewal. 30 s by default.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.request = self.request.ttl(ttl);
        self
    }

    /// Sets the grace: the leadership counts as lost so long before the lease may have run out, so that there is time to
    /// stop. By default a sixth of the lease, and at most 5 s. At most half of the lease.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.request = self.request.grace(grace);
        self
    }

    /// Sets how long each campaign lasts. By default for ever.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.request = self.request.wait(wait);
        self
    }

    /// Sets the owner, a label that says who leads. By default the name of the machine and the id of the process.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.request = self.request.owner(owner);
        self
    }

    /// Sets what the leader proclaims when it is elected, such as its address: any JSON.
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.request = self.request.metadata(metadata);
        self
    }

    /// Calls `report` with what happens during a campaign.
    pub fn on_progress(mut self, mut report: impl FnMut(Progress) + Send + 'static) -> Self {
        let heard = Arc::clone(&self.heard);
        self.request = self.request.on_progress(move |progress| {
            if matches!(progress, Progress::Waiting(_)) {
                heard.store(true, Relaxed);
            }
            report(progress);
        });
        self
    }

    /// Campaigns until elected. The guard is the leadership: releasing it resigns. For callers that do themselves what
    /// [`Campaign::run`] does.
    ///
    /// If a server has answered once, the campaign outlasts any outage. Dropping the future gives the candidacy up.
    ///
    /// # Errors
    /// [`Error::NotAcquired`] if another client leads at the end of the wait. [`Error::Unavailable`] or
    /// [`Error::Unknown`] if no server has ever answered. [`Error::Refused`] if the server refuses the campaign.
    pub async fn win(&mut self) -> Result<Guard, Error> {
        let wait = self.request.longest_wait();
        let deadline = Moment::now() + wait;
        let won = loop {
            match self.request.take().await {
                Err(Error::Unavailable(_) | Error::Unknown(_))
                    if self.heard.load(Relaxed) && !deadline.left().is_zero() =>
                {
                    let pause = PAUSE.mul_f64(0.5 + fastrand::f64());
                    sleep_until(deadline.min(Moment::now() + pause)).await;
                    self.request.set_wait(deadline.left());
                }
                won => break won,
            }
        };
        self.request.set_wait(wait);
        self.heard.fetch_or(won.is_ok(), Relaxed);
        won
    }

    /// Leads: campaigns, calls `lead` when elected, and returns what `lead` returns, after it has resigned.
    ///
    /// If the leadership is lost meanwhile, [`Leading::lost`] tells the body, which has the grace to return: at the end
    /// of the lease its future is dropped, and at once if the server says that the grant has ended. What it then returns
    /// is dropped too. When the body has ended, and not before, this client campaigns again.
    ///
    /// Dropping the future of `run` drops the body and resigns in the background. What the body has spawned goes on, so
    /// it must look at [`Leading::is_leading`] itself.
    ///
    /// # Errors
    /// As [`Campaign::win`].
    pub async fn run<T, Body>(mut self, mut lead: impl FnMut(Leading) -> Body) -> Result<T, Error>
    where
        Body: Future<Output = T>,
    {
        loop {
            let guard = self.win().await?;
            let outcome = led(&guard, lead(guard.leading())).await;
            // If the release is not confirmed, the lease ends the leadership.
            let _ = guard.release().await;
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
    }
}

/// What the body returns, or nothing if the leadership was lost before. The body has ended then.
async fn led<T>(guard: &Guard, body: impl Future<Output = T>) -> Option<T> {
    let mut body = pin!(body);
    let lost = tokio::select! {
        biased;
        lost = guard.lost() => lost,
        outcome = &mut body => return Some(outcome),
    };
    if !matches!(lost, Lost::Ended(_)) {
        let ends = guard.lease().borrow().ends;
        tokio::select! {
            biased;
            () = sleep_until(ends) => {}
            _ = body => {}
        }
    }
    None
}

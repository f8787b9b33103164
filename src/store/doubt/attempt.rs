//! An acquire on its way.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use gorilla_domain::{Acquired, Failure, event::UndoneCause};
use gorilla_scripts::CancelReply;
use tokio::time::Instant;

use crate::store::{base::Store, bid::Bid};

/// An acquire that has been sent or is about to be sent. If it is dropped before it is over, it cancels itself.
pub struct Attempt {
    store: Arc<Store>,
    /// The key of the lock.
    pub lock: String,
    /// What it tells Redis with each call.
    pub bid: Arc<Bid>,
    state: Mutex<State>,
    /// Whether its caller was told an answer.
    was_answered: AtomicBool,
}

/// What the replica knows of an attempt. An attempt never goes back to an earlier state:
///
/// ```text
/// Asked ── Redis has queued it ──▶ Queued
///   │                                │
///   └─ a call was not answered ──────┴──▶ InDoubt
///   any of them ── its caller knows the outcome ──▶ Over
/// ```
#[derive(Clone, Copy)]
enum State {
    /// Redis has answered all its calls, and it is not in the queue.
    Asked,
    /// The attempt has joined the queue.
    Queued,
    /// Redis did not answer a call, and the replica gave the call up at this time. The call may still arrive, also
    /// after Redis has answered a later call.
    InDoubt { since: Instant },
    /// Nothing is left to undo.
    Over,
}

impl Attempt {
    /// An attempt that is about to be sent.
    pub fn begin(store: &Arc<Store>, lock: String, bid: Arc<Bid>) -> Self {
        Self {
            store: Arc::clone(store),
            lock,
            bid,
            state: Mutex::new(State::Asked),
            was_answered: AtomicBool::new(false),
        }
    }

    /// Redis has queued the attempt.
    pub fn queued(&self) {
        let mut state = self.state();
        if let State::Asked = *state {
            *state = State::Queued;
        }
    }

    /// Redis did not answer a call of the attempt.
    pub fn call_lost(&self) {
        let mut state = self.state();
        if let State::Asked | State::Queued = *state {
            *state = State::InDoubt { since: Instant::now() };
        }
    }

    /// The attempt was undone, or its caller knows the outcome.
    pub fn over(&self) {
        *self.state() = State::Over;
    }

    /// Whether nothing is left to undo.
    pub fn is_over(&self) -> bool {
        matches!(*self.state(), State::Over)
    }

    /// Whether a call of the attempt may still arrive at Redis.
    pub fn is_in_doubt(&self) -> bool {
        matches!(*self.state(), State::InDoubt { .. })
    }

    /// The caller is told this answer. The attempt is over unless Redis may still have something of it.
    pub fn answered(&self, answer: &Result<Acquired, Failure>) {
        self.was_answered.store(true, Relaxed);
        let mut state = self.state();
        let is_over = match (answer, *state) {
            // Redis may have executed it; and a script that broke may have written before.
            (Err(Failure::Unknown(_) | Failure::Broken(_)), _) => false,
            // It was undone.
            (Err(Failure::NotReplicated), _) => true,
            // A waiter that Redis could not be asked for may still be in the queue.
            (Err(_), State::Queued | State::InDoubt { .. }) => false,
            // An earlier call may still arrive, and would take a place or the lock for nobody.
            (Ok(acquired), State::InDoubt { .. }) => acquired.is_grant(),
            _ => true,
        };
        if is_over {
            *state = State::Over;
        }
    }

    /// Whether a call was lost so long ago that Redis, which keeps the record for `window` from a grant, may have
    /// dropped the record.
    pub fn doubt_outlasts(&self, window: Duration) -> bool {
        // The replica gave the call up one time-out of a command after it had sent it.
        let sent_before = self.store.command_timeout;
        matches!(*self.state(), State::InDoubt { since } if since.elapsed() + sent_before >= window)
    }

    /// Undoes the attempt at once, if Redis can be reached.
    pub async fn undo(&self, cause: UndoneCause) -> Result<CancelReply, Failure> {
        Ok(self.store.cancel_once(&self.lock, &self.bid, cause).await?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // There is no runtime while the process ends. Then the lease ends the lock.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let State::Over = *self.state() {
            return;
        }
        let (store, lock, bid) = (Arc::clone(&self.store), mem::take(&mut self.lock), Arc::clone(&self.bid));
        let cause = match *self.state() {
            // Its caller has gone, and Redis has answered all that was asked.
            State::Asked | State::Queued if !self.was_answered.load(Relaxed) => UndoneCause::HungUp,
            _ => UndoneCause::UnknownOutcome,
        };
        let cancellation = store.cancellations.begin();
        runtime.spawn(async move {
            store.cancel(&lock, &bid, cause).await;
            drop(cancellation);
        });
    }
}

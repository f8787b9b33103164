//! Renews the locks of several guards of one client in one request.
//!
//! The guard that is due first gathers the others that are due at about the same time. A renewal in a batch keeps the
//! token, so that a lost answer costs nothing: the batch can be sent again, and so can each renewal alone. A guard that
//! is alone keeps the token too, unless the server can't.

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use gorilla_wire::{Batched, ItemResult, MOST_ITEMS};
use reqwest::StatusCode;
use tokio::sync::{oneshot, watch};

use crate::{
    Code, Token,
    clock::{Moment, sleep_until},
    error::Error,
    requests::{self, Change, new_key},
    wire::{ANSWER_TIMEOUT, Answer, Hints, KEY_LASTS, Wire, read},
};

/// How long the first guard waits for others.
const GATHER: Duration = Duration::from_millis(10);
/// How long guards do without batches, or without keeping the token, after a server has refused it, as servers do that
/// don't know it.
const AS_BEFORE: Duration = Duration::from_secs(600);

/// What the guards of one client share.
#[derive(Default)]
pub struct Renewals {
    /// Who is due and waits for the batch to go.
    due: Mutex<Vec<Due>>,
    /// Tells all guards when a batch is about to go.
    gathering: watch::Sender<()>,
    guards: AtomicUsize,
    singly_until: Mutex<Option<Moment>>,
    /// Until when renewals replace the token, because the server does not know how to keep it.
    rotating_until: Mutex<Option<Moment>>,
}

/// A renewal that is due.
struct Due {
    resource: String,
    token: Token,
    ttl: Duration,
    /// When the guard gives up on the batch, to renew singly.
    until: Moment,
    /// Tells the answer. Without an answer the guard renews singly.
    told: oneshot::Sender<Answer>,
}

/// A guard as it takes part in the renewals.
pub struct Member<'a> {
    renewals: &'a Renewals,
    gathering: watch::Receiver<()>,
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.renewals.guards.fetch_sub(1, Relaxed);
    }
}

impl Member<'_> {
    /// Waits until another guard gathers renewals at that moment or later.
    pub async fn gathered(&mut self, from: Moment) {
        while self.gathering.changed().await.is_ok() {
            if from.left().is_zero() {
                return;
            }
        }
        std::future::pending().await
    }
}

impl fmt::Debug for Renewals {
    /// Without the answers that are awaited, which have tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewals").field("guards", &self.guards).finish_non_exhaustive()
    }
}

impl Renewals {
    /// A guard more.
    pub fn enter(&self) -> Member<'_> {
        self.guards.fetch_add(1, Relaxed);
        Member { renewals: self, gathering: self.gathering.subscribe() }
    }

    /// Renews a lock together with others that are due. Returns None if it is better to renew singly.
    pub async fn renew(
        self: &Arc<Self>,
        wire: &Wire,
        resource: &str,
        token: &Token,
        ttl: Duration,
        until: Moment,
    ) -> Option<Answer> {
        if self.guards.load(Relaxed) < 2 || self.goes_singly() {
            return None;
        }
        let (told, answer) = oneshot::channel();
        let is_first = {
            let mut due = lock(&self.due);
            due.push(Due { resource: resource.into(), token: token.clone(), ttl, until, told });
            due.len() == 1
        };
        if is_first {
            self.gathering.send_replace(());
            // A task of its own, because the guard that is first may end before the others.
            tokio::spawn(gather(wire.clone(), Arc::clone(self), Gathering(Some(Arc::clone(self)))));
        }
        tokio::select! {
            answer = answer => answer.ok(),
            () = sleep_until(until) => None,
        }
    }

    /// Renews one lock, in attempts of which each takes `timeout` at most. Calls `trouble` with why there is no answer
    /// yet.
    pub async fn renew_one(
        &self,
        wire: &Wire,
        resource: &str,
        token: &Token,
        ttl: Duration,
        (timeout, give_up): (Duration, Moment),
        trouble: impl Fn(&str),
    ) -> Result<Answer, Error> {
        loop {
            let (key, begun, rotates) = (new_key(), Moment::now(), is_in_future(&self.rotating_until));
            let mut request = match rotates {
                false => requests::keep(resource, token, ttl, &key),
                true => requests::extend(resource, token, ttl, Change::Lease, &key),
            };
            request.timeout = timeout;
            match wire.send_telling(&request, give_up, &trouble).await {
                // Version 0.1 refuses fields that it does not know.
                Ok(Answer::Refused(refusal)) if !rotates && refusal.known() == Some(Code::InvalidRequest) => {
                    *lock(&self.rotating_until) = Some(Moment::now() + AS_BEFORE);
                }
                // The key has come of age. The token stays as it is, so that another key is as good.
                Err(Error::Unknown(_) | Error::Unavailable(_))
                    if !rotates && begun.elapsed() > KEY_LASTS / 2 && !give_up.left().is_zero() => {}
                told => return told,
            }
        }
    }

    fn goes_singly(&self) -> bool {
        is_in_future(&self.singly_until)
    }
}

/// A batch that gathers. If it ends before its time, because the runtime ends, all its guards renew singly.
struct Gathering(Option<Arc<Renewals>>);

impl Gathering {
    /// Ends the gathering. What is due from then on gathers anew.
    fn end(&mut self) -> Vec<Due> {
        self.0.take().map(|renewals| mem::take(&mut *lock(&renewals.due))).unwrap_or_default()
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.end();
    }
}

async fn gather(wire: Wire, renewals: Arc<Renewals>, mut gathering: Gathering) {
    tokio::time::sleep(GATHER).await;
    let mut due = gathering.end();
    // A guard that is alone renews singly.
    while due.len() > 1 {
        let rest = due.split_off(due.len().min(MOST_ITEMS));
        tokio::spawn(send(wire.clone(), Arc::clone(&renewals), due));
        due = rest;
    }
}

/// Sends a batch until it is answered, or until the first guard gives up on it.
async fn send(wire: Wire, renewals: Arc<Renewals>, due: Vec<Due>) {
    let mut request = requests::extend_all(due.iter().map(|due| (&*due.resource, &due.token, due.ttl)));
    let shortest = due.iter().map(|due| due.ttl).min().unwrap_or_default();
    request.timeout = ANSWER_TIMEOUT.min(shortest / 4);
    let Some(give_up) = due.iter().map(|due| due.until).min() else { return };
    match wire.send(&request, give_up).await {
        Ok(Answer::Done(sent, body)) => {
            let Ok(Batched { results, .. }) = read(body) else { return };
            let mut due: BTreeMap<_, _> = due.into_iter().enumerate().collect();
            for ItemResult { index, status, body, .. } in results {
                let Some(due) = due.remove(&index) else { continue };
                let Ok(status) = StatusCode::from_u16(status) else { continue };
                // An item that was not executed, or perhaps not, is asked for again singly.
                if let Ok(answer) = wire.judge(sent, status, Hints::default(), body.unwrap_or_default()) {
                    // Fails if the guard has given up.
                    let _ = due.told.send(answer);
                }
            }
        }
        // It would be refused again.
        Ok(Answer::Refused(_)) => *lock(&renewals.singly_until) = Some(Moment::now() + AS_BEFORE),
        Err(_) => {}
    }
}

fn is_in_future(until: &Mutex<Option<Moment>>) -> bool {
    lock(until).is_some_and(|until| !until.left().is_zero())
}

/// Nobody panics while holding these, and what they hold is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

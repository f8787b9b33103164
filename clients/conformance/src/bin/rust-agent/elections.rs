//! Elections in which the agent campaigns.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use gorilla_client::{Client, Error, Leading, Lost};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    errors::{Failed, reason},
    out,
};

/// The elections, by the names of their locks in the agent.
#[derive(Default)]
pub struct Elections(RefCell<BTreeMap<String, Rc<Seat>>>);

/// What the agent knows of one election.
#[derive(Default)]
struct Seat {
    leading: RefCell<Option<Leading>>,
    resign: Notify,
}

/// The body of an election: says when it begins and when it ends, also when it is dropped.
struct Body {
    lock: String,
    term: u64,
}

impl Body {
    fn begin(lock: &str, leading: &Leading) -> Self {
        let term = leading.term();
        out::event("leading", lock, json!({ "term": term.to_string() }));
        Self { lock: lock.into(), term }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        out::event("stopped", &self.lock, json!({ "term": self.term.to_string() }));
    }
}

impl Elections {
    /// Campaigns and leads until the body returns.
    pub async fn elect(&self, client: &Client, lock: &str, name: &str, ttl: Duration) -> Result<(), Error> {
        let seat = Rc::new(Seat::default());
        self.0.borrow_mut().insert(lock.into(), Rc::clone(&seat));
        client.elect(name).ttl(ttl).run(|leading| body(lock.into(), Rc::clone(&seat), leading)).await
    }

    /// Has the body of an election return.
    pub fn resign(&self, lock: &str) -> Result<Value, Failed> {
        let seats = self.0.borrow();
        seats.get(lock).ok_or_else(|| Failed::other("no such election"))?.resign.notify_one();
        Ok(json!({}))
    }

    /// Whether the agent leads; None if the lock is not one of an election.
    pub fn check(&self, lock: &str) -> Option<Result<Value, Failed>> {
        let seat = Rc::clone(self.0.borrow().get(lock)?);
        let leading = seat.leading.borrow().clone()?;
        if leading.is_leading() {
            return Some(Ok(json!({ "held": true })));
        }
        let lost = std::pin::pin!(leading.lost()).poll(&mut Context::from_waker(Waker::noop()));
        let lost = if let Poll::Ready(lost) = lost { lost } else { Lost::Unconfirmed(None) };
        Some(Err(Failed::from(Error::Lost(lost)).held(false)))
    }
}

async fn body(lock: String, seat: Rc<Seat>, leading: Leading) {
    let _body = Body::begin(&lock, &leading);
    *seat.leading.borrow_mut() = Some(leading.clone());
    tokio::select! {
        () = seat.resign.notified() => {}
        lost = leading.lost() => out::event("lost", &lock, json!({ "reason": reason(&lost) })),
    }
}

//! Undoes an acquire whose caller has given up.
//!
//! The server undoes an acquire by itself when the client hangs up. But a load balancer may not pass that on, and an
//! answer may be on its way already. So the client asks once more, without waiting, and releases what it is granted.

use gorilla_wire::{Lock, LockSet};
use reqwest::Method;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::{
    requests::{self, new_key},
    wire::{ANSWER_TIMEOUT, Answer, Request, Wire, read},
};

/// Undoes a request when it is dropped, if the server may have executed the request.
pub struct Undo {
    wire: Wire,
    asked: Option<Asked>,
}

/// A request that may have been executed.
struct Asked {
    path: String,
    key: String,
    body: Value,
}

/// A lock that was granted and that nobody keeps yet. It is released when this is dropped.
pub struct Granted {
    wire: Wire,
    lock: Option<Lock>,
}

impl Undo {
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), asked: None }
    }

    /// From now on the server may execute this acquire.
    pub fn arm(&mut self, acquire: &Request<'_>) {
        let mut body = acquire.body.clone().unwrap_or_default();
        if let Some(body) = body.as_object_mut() {
            body.remove("wait");
        }
        let (path, key) = (acquire.path.clone(), acquire.key.unwrap_or_default().to_string());
        self.asked = Some(Asked { path, key, body });
    }

    /// The server has answered, or has not executed anything.
    pub fn disarm(&mut self) {
        self.asked = None;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let (Some(asked), Ok(runtime)) = (self.asked.take(), Handle::try_current()) {
            runtime.spawn(undo(self.wire.clone(), asked));
        }
    }
}

impl Granted {
    pub fn new(wire: &Wire, lock: Lock) -> Self {
        Self { wire: wire.clone(), lock: Some(lock) }
    }

    /// The lock is not released: the caller keeps it, or it has ended.
    pub fn keep(mut self) {
        self.lock = None;
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if let (Some(lock), Ok(runtime)) = (self.lock.take(), Handle::try_current()) {
            let wire = self.wire.clone();
            runtime.spawn(async move { release(&wire, &lock).await });
        }
    }
}

async fn undo(wire: Wire, Asked { path, key, body }: Asked) {
    let timeout = ANSWER_TIMEOUT;
    let request = Request { method: Method::POST, path, token: None, key: Some(&key), body: Some(body), timeout };
    // If there is no answer, what was granted ends with its lease.
    let Ok(Answer::Done(_, body)) = wire.send(&request, wire.give_up()).await else { return };
    let locks = match read::<LockSet>(body.clone()) {
        Ok(set) => set.locks,
        Err(_) => read::<Lock>(body).into_iter().collect(),
    };
    for lock in locks {
        release(&wire, &lock).await;
    }
}

async fn release(wire: &Wire, lock: &Lock) {
    let key = new_key();
    let _ = wire.send(&requests::release(&lock.resource, &lock.token, &key), wire.give_up()).await;
}

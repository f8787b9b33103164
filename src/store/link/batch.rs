//! Requests that come in one moment go to Redis as one command: `lua/batch.lua` runs their script once for each. Beside
//! what it costs to encode, write and answer a command, fred writes each script to the socket by itself, however many
//! others wait behind it.
//!
//! Nothing waits for more to come. Whoever finds no batch begins one and has it sent by a task of its own, which runs after
//! those tasks that are ready now; so the busier the replica, the larger the batches.

use std::{
    future::Future,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use fred::{
    bytes_utils::Str,
    types::{Resp3Frame, Value},
};
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::{connection::Connection, pieces::Pieces};
use crate::{lock::Failure, store::script::Script};

/// Requests in one command. Redis does nothing else meanwhile, for some microseconds each.
const MOST: usize = 64;

/// What is about to be sent over a connection.
#[derive(Default)]
pub struct Batch {
    /// Commands that were sent and not answered.
    on_their_way: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

struct Request {
    script: Arc<Script>,
    pieces: Pieces,
    reply: oneshot::Sender<Result<Resp3Frame, Failure>>,
}

impl Request {
    /// Whether the two can go together.
    fn is_like(&self, other: &Self) -> bool {
        let counts = |request: &Self| (request.pieces.keys, request.pieces.len());
        Arc::ptr_eq(&self.script, &other.script) && counts(self) == counts(other)
    }
}

impl Batch {
    /// Whether a request should go with others. Where nothing is on its way it goes alone, which takes a task less.
    pub fn is_worth_it(&self) -> bool {
        self.on_their_way.load(Relaxed) > 0 || !self.requests().is_empty()
    }

    /// Counts a command while it is on its way.
    pub async fn alone<R>(&self, sent: impl Future<Output = R>) -> R {
        /// Also when the caller is gone.
        struct OnItsWay<'a>(&'a AtomicUsize);
        impl Drop for OnItsWay<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Relaxed);
            }
        }
        self.on_their_way.fetch_add(1, Relaxed);
        let _counted = OnItsWay(&self.on_their_way);
        sent.await
    }

    /// Sends a request with those that come in this moment.
    pub async fn add(
        &self,
        connection: &Arc<Connection>,
        script: &Arc<Script>,
        pieces: Pieces,
    ) -> Result<Resp3Frame, Failure> {
        let (reply, replied) = oneshot::channel();
        let request = Request { script: Arc::clone(script), pieces, reply };
        let is_first = {
            let mut requests = self.requests();
            requests.push(request);
            requests.len() == 1
        };
        if is_first {
            let connection = Arc::clone(connection);
            tokio::spawn(async move { connection.send_batch().await });
        }
        replied.await.unwrap_or_else(|_| Err(Failure::Unknown("the connection was dropped".into())))
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Sends what has come together, those that are alike in the order in which they came.
    async fn send_batch(&self) {
        let Some(batch) = &self.batch else { return };
        let mut requests = mem::take(&mut *batch.requests());
        requests.sort_by_key(|request| (!request.script.goes_first, Arc::as_ptr(&request.script), request.pieces.keys));
        let mut groups: Vec<Vec<Request>> = Vec::new();
        for request in requests {
            match groups.last_mut() {
                Some(group) if group.len() < MOST && group[0].is_like(&request) => group.push(request),
                _ => groups.push(vec![request]),
            }
        }
        // Each is on its way before the first is answered.
        join_all(groups.into_iter().map(|group| batch.alone(self.send_group(group)))).await;
    }

    async fn send_group(&self, group: Vec<Request>) {
        let replies = match &group[..] {
            [] => return,
            [Request { script, pieces, .. }] => {
                self.run_text(None, &script.one, |text| pieces.call(text)).await.map(|reply| vec![Ok(reply)])
            }
            [first, ..] => {
                let reply = self.run_text(None, &first.script.many, |text| together(text, &group)).await;
                reply.and_then(|reply| self.apart(reply, group.len()))
            }
        };
        // Who asked may have gone.
        match replies {
            Ok(replies) => {
                for (request, reply) in group.into_iter().zip(replies) {
                    let _ = request.reply.send(reply);
                }
            }
            Err(failure) => {
                for request in group {
                    let _ = request.reply.send(Err(failure.clone()));
                }
            }
        }
    }

    /// The replies to so many requests.
    fn apart(&self, reply: Resp3Frame, requests: usize) -> Result<Vec<Result<Resp3Frame, Failure>>, Failure> {
        match reply {
            Resp3Frame::Array { data, .. } if data.len() == requests => Ok(data
                .into_iter()
                .map(|reply| match reply {
                    Resp3Frame::SimpleError { data, .. } => Err(self.refusal(&data)),
                    reply => Ok(reply),
                })
                .collect()),
            _ => Err(Failure::Broken("Redis replied to a batch with something else than a list".into())),
        }
    }
}

/// The call for many requests, as `lua/batch.lua` says.
fn together(script: &Str, group: &[Request]) -> Vec<Value> {
    let (first, rest) = (&group[0].pieces, &group[1..]);
    // Most of what a request is sent with are settings, which Redis needs to be told but once.
    let differs = |&arg: &usize| rest.iter().any(|request| request.pieces.text(arg) != first.text(arg));
    let differing: Vec<_> = (first.keys..first.len()).filter(differs).collect();
    let places: Vec<_> = differing.iter().map(|arg| (arg - first.keys + 1).to_string()).collect();

    let number = group.len() * first.keys;
    let mut all = Vec::with_capacity(4 + number + first.len() + rest.len() * differing.len());
    all.extend([Value::String(script.clone()), (number as i64).into()]);
    for Request { pieces, .. } in group {
        all.extend((0..pieces.keys).map(|key| pieces.value(key)));
    }
    all.extend([first.keys.to_string().into(), places.join(" ").into()]);
    all.extend((first.keys..first.len()).map(|arg| first.value(arg)));
    for Request { pieces, .. } in rest {
        all.extend(differing.iter().map(|&arg| pieces.value(arg)));
    }
    all
}

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

use super::connection::{Connection, call, values};
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
    keys: usize,
    keys_and_args: Vec<Value>,
    reply: oneshot::Sender<Result<Resp3Frame, Failure>>,
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
        keys: &[&str],
        args: &[&str],
    ) -> Result<Resp3Frame, Failure> {
        let (reply, replied) = oneshot::channel();
        let (keys, keys_and_args) = (keys.len(), values(keys, args).collect());
        let request = Request { script: Arc::clone(script), keys, keys_and_args, reply };
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
    /// Sends what has come together, the requests of each script in the order in which they came.
    async fn send_batch(&self) {
        let Some(batch) = &self.batch else { return };
        let mut requests = mem::take(&mut *batch.requests());
        requests.sort_by_key(|request| (!request.script.goes_first, Arc::as_ptr(&request.script)));
        let mut groups: Vec<Vec<Request>> = Vec::new();
        for request in requests {
            match groups.last_mut() {
                Some(group) if group.len() < MOST && Arc::ptr_eq(&group[0].script, &request.script) => {
                    group.push(request);
                }
                _ => groups.push(vec![request]),
            }
        }
        // Each is on its way before the first is answered.
        join_all(groups.into_iter().map(|group| batch.alone(self.send_group(group)))).await;
    }

    async fn send_group(&self, mut group: Vec<Request>) {
        if group.len() == 1
            && let Some(Request { script, keys, keys_and_args, reply }) = group.pop()
        {
            // Nobody is there any more if the caller has gone.
            let call = |text: &Str| call(text, keys, keys_and_args.iter().cloned());
            let _ = reply.send(self.run_text(None, &script.one, call).await);
            return;
        }
        let script = Arc::clone(&group[0].script);
        let (keys_and_args, keys) = together(&mut group);
        let call = |text: &Str| call(text, keys, keys_and_args.iter().cloned());
        let reply = self.run_text(None, &script.many, call).await;
        let replies = reply.and_then(|reply| self.apart(reply, group.len()));
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

/// The keys of all requests, how many each has, and the arguments of all; and how many keys these are.
fn together(group: &mut [Request]) -> (Vec<Value>, usize) {
    let keys = group.iter().map(|request| request.keys).sum();
    let counts: Vec<_> = group.iter().map(|request| request.keys.to_string()).collect();
    let mut all = Vec::with_capacity(1 + group.iter().map(|request| request.keys_and_args.len()).sum::<usize>());
    for request in group.iter_mut() {
        all.extend(request.keys_and_args.drain(..request.keys));
    }
    all.push(counts.join(" ").into());
    for request in group {
        all.append(&mut request.keys_and_args);
    }
    (all, keys)
}

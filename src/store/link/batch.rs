//! Requests that come in one moment go to Redis as one command: `lua/lib/run.lua` runs their script once for each. Beside
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

use fred::types::Resp3Frame;
use futures_util::future::join_all;
use gorilla_scripts::Request;
use tokio::sync::oneshot;

use super::connection::Connection;
use crate::lock::Failure;

/// Requests in one command. Redis does nothing else meanwhile, for some microseconds each.
const MOST: usize = 64;

/// What is about to be sent over a connection.
#[derive(Default)]
pub struct Batch {
    /// Commands that were sent and not answered.
    on_their_way: AtomicUsize,
    requests: Mutex<Vec<Asked>>,
}

struct Asked {
    request: Request,
    reply: oneshot::Sender<Result<Resp3Frame, Failure>>,
}

impl Asked {
    /// Whether the two can go together.
    fn is_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.request.script, &other.request.script)
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
    pub async fn add(&self, connection: &Arc<Connection>, request: Request) -> Result<Resp3Frame, Failure> {
        let (reply, replied) = oneshot::channel();
        let is_first = {
            let mut requests = self.requests();
            requests.push(Asked { request, reply });
            requests.len() == 1
        };
        if is_first {
            let connection = Arc::clone(connection);
            tokio::spawn(async move { connection.send_batch().await });
        }
        replied.await.unwrap_or_else(|_| Err(Failure::Unknown("the connection was dropped".into())))
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Sends what has come together, those that are alike in the order in which they came.
    async fn send_batch(&self) {
        let Some(batch) = &self.batch else { return };
        let mut requests = mem::take(&mut *batch.requests());
        requests.sort_by_key(|Asked { request, .. }| (!request.script.goes_first, Arc::as_ptr(&request.script)));
        let mut groups: Vec<Vec<Asked>> = Vec::new();
        for asked in requests {
            match groups.last_mut() {
                Some(group) if group.len() < MOST && group[0].is_like(&asked) => group.push(asked),
                _ => groups.push(vec![asked]),
            }
        }
        // Each is on its way before the first is answered.
        join_all(groups.into_iter().map(|group| batch.alone(self.send_group(group)))).await;
    }

    async fn send_group(&self, group: Vec<Asked>) {
        let requests: Vec<_> = group.iter().map(|asked| &asked.request).collect();
        let replies = self.run_all(None, &requests).await;
        // Who asked may have gone.
        match replies {
            Ok(replies) => {
                for (asked, reply) in group.into_iter().zip(replies) {
                    let _ = asked.reply.send(reply);
                }
            }
            Err(failure) => {
                for asked in group {
                    let _ = asked.reply.send(Err(failure.clone()));
                }
            }
        }
    }
}

//! Requests that come in one moment go to Redis as one command: `lua/lib/run.lua` runs their script once for each. Each
//! command costs its encoding, its write and its reply, and fred makes a write to the socket for each script, however
//! many others wait behind it.
//!
//! No request waits for more requests to come. A request that finds no batch begins one, and a task sends the batch.
//! This task runs after the tasks that are ready now; so the busier the replica, the larger the batches.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use gorilla_scripts::Request;
use tokio::sync::oneshot;

use super::error::Error;

/// Requests in one command, at most. Redis does nothing else meanwhile, for some microseconds a request.
const MOST: usize = 64;
// `lua/lib/requests.lua` reads the number of requests from one byte.
const _: () = assert!(MOST < 128);

/// The requests that are about to be sent over a connection.
#[derive(Default)]
pub struct Batch {
    /// Commands that were sent and are not answered yet.
    on_their_way: AtomicUsize,
    requests: Mutex<Vec<Asked>>,
}

/// A command that is on its way.
pub struct OnItsWay<'a>(&'a AtomicUsize);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What came of a request.
type Reply = Result<Bytes, Error>;

struct Asked {
    request: Request,
    reply: oneshot::Sender<Reply>,
}

/// A request that has joined a batch.
pub struct Joined {
    /// Whether it has begun the batch, and so must have it sent.
    pub is_first: bool,
    reply: oneshot::Receiver<Reply>,
}

/// Requests that go together in one command, because they share their script.
pub struct Group(Vec<Asked>);

impl Batch {
    /// Whether a request should go with others. If no command is on its way, the request goes alone, which saves a
    /// task.
    pub fn is_worth_it(&self) -> bool {
        self.on_their_way.load(Relaxed) > 0 || !self.requests().is_empty()
    }

    /// Counts a command as on its way until the value is dropped, also if the caller has gone.
    pub fn count(&self) -> OnItsWay<'_> {
        self.on_their_way.fetch_add(1, Relaxed);
        OnItsWay(&self.on_their_way)
    }

    /// Adds a request to the others of this moment.
    pub fn join(&self, request: Request) -> Joined {
        let (reply, replied) = oneshot::channel();
        let mut requests = self.requests();
        requests.push(Asked { request, reply });
        Joined { is_first: requests.len() == 1, reply: replied }
    }

    /// Takes the requests that have come together. Requests for the same script keep their order.
    pub fn take(&self) -> Vec<Group> {
        let mut requests = mem::take(&mut *self.requests());
        requests.sort_by_key(|Asked { request, .. }| (!request.script.goes_first, Arc::as_ptr(&request.script)));
        let mut groups: Vec<Group> = Vec::new();
        for asked in requests {
            match groups.last_mut() {
                Some(group) if group.has_room_for(&asked) => group.0.push(asked),
                _ => groups.push(Group(vec![asked])),
            }
        }
        groups
    }

    fn requests(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Joined {
    /// Waits for what comes of the request.
    pub async fn reply(self) -> Reply {
        self.reply.await.unwrap_or_else(|_| Err(Error::Lost("the connection was dropped".into())))
    }
}

impl Group {
    fn has_room_for(&self, asked: &Asked) -> bool {
        let script = &asked.request.script;
        self.0.len() < MOST && !script.goes_alone && Arc::ptr_eq(&self.0[0].request.script, script)
    }

    /// The requests.
    pub fn requests(&self) -> Vec<&Request> {
        self.0.iter().map(|asked| &asked.request).collect()
    }

    /// Tells each what came of it, or of all.
    pub fn answer(self, replies: Result<Vec<Reply>, Error>) {
        // The callers may have gone.
        match replies {
            Ok(replies) => {
                for (asked, reply) in self.0.into_iter().zip(replies) {
                    let _ = asked.reply.send(reply);
                }
            }
            Err(error) => {
                for asked in self.0 {
                    let _ = asked.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

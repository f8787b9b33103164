//! One connection to Redis: sends over it, watches it, and knows when it is of no more use.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fred::{
    clients::Client,
    error::ErrorKind,
    interfaces::{ClientLike, ClusterInterface, EventInterface, PubsubInterface},
    types::{ClusterHash, ConnectHandle, CustomCommand, Message, Resp3Frame, Value, config::Server},
    util::redis_keyslot,
};
use futures_util::future::join_all;
use tokio::sync::{SetOnce, broadcast::Receiver};

use gorilla_scripts::{Request, together};

use super::{
    batch::{Batch, Group},
    error::{Error, Refusal},
    explain::explain,
};

/// How long a connection may be silent before it is tried.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A connection to a server, or to all masters of a cluster.
pub struct Connection {
    client: Client,
    opened: Instant,
    /// Milliseconds from `opened` to the last reply.
    last_reply: AtomicU64,
    /// Why this connection is of no more use, for the supervisor; set once it is.
    useless: Arc<SetOnce<&'static str>>,
    /// Requests that are sent together; in a cluster none are, because their keys may lie on different nodes.
    batch: Option<Batch>,
}

impl Connection {
    /// Over a client that is connected.
    pub fn new(client: Client) -> Self {
        let batch = (!client.is_clustered()).then(Batch::default);
        let (opened, last_reply, useless) = (Instant::now(), AtomicU64::new(0), Arc::new(SetOnce::new()));
        Self { client, opened, last_reply, useless, batch }
    }

    /// Sends a request: at once if nothing is on its way, else with what else is asked for in this moment.
    pub async fn request(self: &Arc<Self>, request: &Request) -> Result<Resp3Frame, Error> {
        let Some(batch) = &self.batch else { return self.run(None, request).await };
        if !batch.is_worth_it() {
            return batch.counted(self.run(None, request)).await;
        }
        let joined = batch.join(request.clone());
        if joined.is_first {
            let connection = Arc::clone(self);
            tokio::spawn(async move { connection.send_batch().await });
        }
        joined.reply().await
    }

    /// Sends what has come together.
    async fn send_batch(&self) {
        let Some(batch) = &self.batch else { return };
        let send = async |group: Group| {
            let replies = self.run_all(None, &group.requests()).await;
            group.answer(replies);
        };
        // Each is on its way before the first is answered.
        join_all(batch.take().into_iter().map(|group| batch.counted(send(group)))).await;
    }

    /// Waits until the connection is of no more use. Says why.
    pub async fn watch(&self, router: &mut ConnectHandle) -> &'static str {
        // While nobody asks for anything, a dead connection would go unnoticed until somebody does. In a cluster one node
        // may hang while the others answer.
        let heartbeat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if let Some(nodes) = self.masters() {
                    join_all(nodes.into_iter().map(|node| self.send(Some(node), "PING", vec![]))).await;
                } else if self.now() - self.last_reply.load(Relaxed) >= HEARTBEAT.as_millis() as u64 {
                    // Where no reply comes, the connection is marked useless.
                    let _ = self.send(None, "PING", vec![]).await;
                }
            }
        };
        tokio::select! {
            _ = router => "Redis closed the connection",
            why = self.useless.wait() => why,
            never = heartbeat => never,
        }
    }

    /// Messages that come over it.
    pub fn messages(&self) -> Receiver<Message> {
        self.client.message_rx()
    }

    /// Subscribes to a channel.
    pub async fn subscribe(&self, channel: &str) -> Result<(), String> {
        self.client.subscribe(channel).await.map_err(|error| explain(&error))
    }

    /// The node of a cluster that has a key, none outside of one.
    pub fn node_of(&self, key: &[u8]) -> Option<Server> {
        self.client.cached_cluster_state().and_then(|slots| slots.get_server(redis_keyslot(key)).cloned())
    }

    /// The masters that a cluster has now.
    pub fn masters(&self) -> Option<Vec<Server>> {
        self.client.cached_cluster_state().map(|slots| slots.unique_primary_nodes())
    }

    /// By which another connection, opened beside this one, makes it useless too.
    pub fn useless(&self) -> Arc<SetOnce<&'static str>> {
        Arc::clone(&self.useless)
    }

    /// Tells the supervisor that the connection is of no more use, and why.
    pub fn give_up(&self, why: &'static str) {
        // Later reasons come from the first.
        let _ = self.useless.set(why);
    }

    /// The masters of a cluster in a steady order, or one that needs no name.
    pub fn nodes(&self) -> Vec<Option<Server>> {
        let Some(mut nodes) = self.masters() else { return vec![None] };
        nodes.sort();
        nodes.into_iter().map(Some).collect()
    }

    /// Has a script run for one request, in a cluster at the given node or at that of its first key.
    pub async fn run(&self, node: Option<&Server>, request: &Request) -> Result<Resp3Frame, Error> {
        let replies = self.run_all(node, &[request]).await?;
        replies.into_iter().next().unwrap_or(Err(Error::Unexpected("Redis replied to nothing")))
    }

    /// The same for many requests, which share their script. Each has a reply.
    async fn run_all(
        &self,
        node: Option<&Server>,
        requests: &[&Request],
    ) -> Result<Vec<Result<Resp3Frame, Error>>, Error> {
        let Some(first) = requests.first() else { return Ok(Vec::new()) };
        let (keys, arguments) = together(requests.iter().copied());
        let call = |text: &_| {
            let head = [Value::String(Clone::clone(text)), (keys.len() as i64).into()];
            let keys = keys.iter().cloned().map(Value::Bytes);
            head.into_iter().chain(keys).chain([Value::Bytes(arguments.clone())]).collect()
        };
        // The text is sent once if Redis doesn't know it, and only to the node that lacks it: loading it everywhere would be
        // a stampede.
        let reply = match self.send(node.cloned(), "EVALSHA", call(&first.script.sha)).await {
            Err(Error::Refused(Refusal::NoScript)) => {
                self.send(node.cloned(), "EVAL", call(&first.script.source)).await
            }
            reply => reply,
        };
        match reply? {
            Resp3Frame::Array { data, .. } if data.len() == requests.len() => Ok(data
                .into_iter()
                .map(|reply| match reply {
                    Resp3Frame::SimpleError { data, .. } => Err(self.refusal(&data)),
                    reply => Ok(reply),
                })
                .collect()),
            _ => Err(Error::Unexpected("Redis replied to requests with something else than a list of replies")),
        }
    }

    /// Sends a command, in a cluster to the given node or to that of its first key.
    pub async fn send(&self, node: Option<Server>, name: &'static str, args: Vec<Value>) -> Result<Resp3Frame, Error> {
        // The first key decides the slot; a script's keys follow its name and their number. fred takes no other hash of a
        // custom command than a slot that was computed before.
        let first_key = args.get(2).filter(|_| name.starts_with("EVAL")).and_then(Value::as_bytes);
        let hash = first_key.map_or(ClusterHash::Random, |key| ClusterHash::Custom(redis_keyslot(key)));
        let command = CustomCommand::new_static(name, hash, false);
        let (sent, one_node) = (self.now(), node.is_some());
        // Boxed: what fred needs for a command is many kilobytes, which all that waits for it would otherwise hold and move.
        let reply = match node {
            None => Box::pin(self.client.custom_raw(command, args)).await,
            Some(node) => Box::pin(self.client.with_cluster_node(node).custom_raw(command, args)).await,
        };
        match reply {
            Ok(Resp3Frame::SimpleError { data, .. }) => {
                self.last_reply.store(self.now(), Relaxed);
                Err(self.refusal(&data))
            }
            Ok(frame) => {
                self.last_reply.store(self.now(), Relaxed);
                Ok(frame)
            }
            Err(error) => {
                match error.kind() {
                    // Nothing at all came back since this was sent, so the server hangs or the network is gone.
                    ErrorKind::Timeout if one_node || self.last_reply.load(Relaxed) <= sent => {
                        self.give_up("Redis stopped answering");
                    }
                    // A server has answered, if only where else to ask.
                    ErrorKind::Routing => self.last_reply.store(self.now(), Relaxed),
                    _ => {}
                }
                Err(Error::sent(&error))
            }
        }
    }

    /// An error that Redis answered.
    fn refusal(&self, message: &str) -> Error {
        let error = Error::answered(message);
        if error == Error::Refused(Refusal::ReadOnly) {
            self.give_up("Redis is no longer the master");
        }
        error
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

//! One connection to Redis: sends commands, watches the connection, and knows when it is of no use any more.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use fred::{
    clients::Client,
    error::ErrorKind,
    interfaces::{ClientLike, ClusterInterface, EventInterface, PubsubInterface},
    types::{ClusterHash, ConnectHandle, CustomCommand, Message, Resp3Frame, Value, config::Server},
    util::redis_keyslot,
};
use futures_util::future::join_all;
use tokio::sync::{SetOnce, broadcast::Receiver};

use gorilla_scripts::{Request, all_slots, apart, together};

use crate::metrics::Metrics;

use super::{
    batch::{Batch, Group},
    error::{Error, Refusal},
    explain::explain,
};

/// How long a connection may be silent until Gorilla tries it.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A connection to a server, or to all masters of a cluster.
pub struct Connection {
    client: Client,
    opened: Instant,
    /// Milliseconds from `opened` to the last reply.
    last_reply: AtomicU64,
    /// Why this connection is of no use any more. The supervisor waits until this is set.
    useless: Arc<SetOnce<&'static str>>,
    /// The requests that are sent together. None in a cluster, because their keys may lie on different nodes.
    batch: Option<Batch>,
    metrics: Arc<Metrics>,
}

impl Connection {
    /// Makes a connection of a client that is connected.
    pub fn new(client: Client, metrics: Arc<Metrics>) -> Self {
        let batch = (!client.is_clustered()).then(Batch::default);
        let (opened, last_reply, useless) = (Instant::now(), AtomicU64::new(0), Arc::new(SetOnce::new()));
        Self { client, opened, last_reply, useless, batch, metrics }
    }

    /// Whether it is to all masters of a cluster.
    pub fn is_clustered(&self) -> bool {
        self.batch.is_none()
    }

    /// Sends a request: at once if no command is on its way, or else together with the requests of the same moment.
    pub async fn request(self: &Arc<Self>, request: Request) -> Result<Bytes, Error> {
        let Some(batch) = self.batch.as_ref().filter(|batch| batch.is_worth_it()) else {
            let _counted = self.batch.as_ref().map(Batch::count);
            // Boxed, so that the others keep no room for it.
            return Box::pin(self.run(None, &request)).await;
        };
        let joined = batch.join(request);
        if joined.is_first {
            let connection = Arc::clone(self);
            tokio::spawn(async move { connection.send_batch().await });
        }
        joined.reply().await
    }

    /// Sends the requests that have come together.
    async fn send_batch(&self) {
        let Some(batch) = &self.batch else { return };
        let send = async |group: Group| {
            let _counted = batch.count();
            let replies = self.run_all(None, &group.requests()).await;
            group.answer(replies);
        };
        // All groups are on their way before the first is answered.
        join_all(batch.take().into_iter().map(send)).await;
    }

    /// Waits until the connection is of no use any more, and says why.
    pub async fn watch(&self, router: &mut ConnectHandle) -> &'static str {
        // If there are no requests, nobody would notice a dead connection until the next request. In a cluster one node
        // may hang while the others answer.
        let heartbeat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if let Some(nodes) = self.masters() {
                    join_all(nodes.into_iter().map(|node| self.send(Some(node), "PING", vec![]))).await;
                } else if self.now() - self.last_reply.load(Relaxed) >= HEARTBEAT.as_millis() as u64 {
                    // If no reply comes, `send` gives the connection up.
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

    /// The messages that come over it.
    pub fn messages(&self) -> Receiver<Message> {
        self.client.message_rx()
    }

    /// Subscribes to a channel.
    pub async fn subscribe(&self, channel: &str) -> Result<(), String> {
        self.client.subscribe(channel).await.map_err(|error| explain(&error))
    }

    /// The node of a cluster that has a key; `None` for the only server.
    pub fn node_of(&self, key: &[u8]) -> Option<Server> {
        self.client.cached_cluster_state().and_then(|slots| slots.get_server(redis_keyslot(key)).cloned())
    }

    /// The masters of a cluster, each with the slots that it has, as far as is known here. Nothing of the only server, and
    /// nothing if no node is known for some slot.
    pub fn slots(&self) -> Option<Vec<(Server, Vec<u16>)>> {
        let state = self.client.cached_cluster_state()?;
        let mut all = BTreeMap::<_, Vec<u16>>::new();
        for slot in all_slots() {
            all.entry(state.get_server(slot)?.clone()).or_default().push(slot);
        }
        Some(all.into_iter().collect())
    }

    /// The address of the only server; nothing of a cluster.
    pub fn address(&self) -> Option<Server> {
        if self.is_clustered() {
            return None;
        }
        self.client.active_connections().into_iter().next()
    }

    /// The masters that a cluster has now.
    pub fn masters(&self) -> Option<Vec<Server>> {
        self.client.cached_cluster_state().map(|slots| slots.unique_primary_nodes())
    }

    /// Lets a connection that was opened beside this connection end both.
    pub fn useless(&self) -> Arc<SetOnce<&'static str>> {
        Arc::clone(&self.useless)
    }

    /// Tells the supervisor that the connection is of no use any more, and why.
    pub fn give_up(&self, why: &'static str) {
        // Later reasons follow from the first.
        let _ = self.useless.set(why);
    }

    /// The masters of a cluster in a steady order, or `None` for the only server.
    pub fn nodes(&self) -> Vec<Option<Server>> {
        let Some(mut nodes) = self.masters() else { return vec![None] };
        nodes.sort();
        nodes.into_iter().map(Some).collect()
    }

    /// Runs a script for one request: in a cluster at the given node, or else at the node of its first key.
    pub async fn run(&self, node: Option<&Server>, request: &Request) -> Result<Bytes, Error> {
        let replies = self.run_all(node, &[request]).await?;
        replies.into_iter().next().unwrap_or(Err(Error::Unexpected("Redis replied to nothing")))
    }

    /// The same for many requests that share their script. Returns a reply for each.
    async fn run_all(&self, node: Option<&Server>, requests: &[&Request]) -> Result<Vec<Result<Bytes, Error>>, Error> {
        let Some(first) = requests.first() else { return Ok(Vec::new()) };
        let begun = Instant::now();
        let (keys, arguments) = together(requests.iter().copied());
        let call = |text: &_| {
            let head = [Value::String(Clone::clone(text)), (keys.len() as i64).into()];
            let keys = keys.iter().cloned().map(Value::Bytes);
            head.into_iter().chain(keys).chain([Value::Bytes(arguments.clone())]).collect()
        };
        // Sends the text once if Redis doesn't know it, and only to the node that lacks it: if each replica loaded each
        // script into each node, that would be a stampede.
        let reply = match self.send(node.cloned(), "EVALSHA", call(&first.script.sha)).await {
            Err(Error::Refused(Refusal::NoScript)) => {
                self.send(node.cloned(), "EVAL", call(&first.script.source)).await
            }
            reply => reply,
        };
        self.metrics.redis.ran(first.script.number, requests.len(), begun.elapsed());
        let replies = match &reply? {
            Resp3Frame::BlobString { data, .. } => apart(data, requests.len()),
            _ => None,
        };
        let replies = replies.ok_or(Error::Unexpected("Redis did not reply to each request of a script"))?;
        Ok(replies.into_iter().map(|reply| reply.map_err(|error| self.refusal(&error))).collect())
    }

    /// Sends a command, in a cluster to the given node or to that of its first key.
    pub async fn send(&self, node: Option<Server>, name: &'static str, args: Vec<Value>) -> Result<Resp3Frame, Error> {
        // In a cluster the first key decides the slot. The keys of a script follow its name and their number. For a
        // custom command fred takes only a slot that was computed before.
        let is_routed = name.starts_with("EVAL") && self.is_clustered();
        let first_key = args.get(2).filter(|_| is_routed).and_then(Value::as_bytes);
        let hash = first_key.map_or(ClusterHash::Random, |key| ClusterHash::Custom(redis_keyslot(key)));
        let command = CustomCommand::new_static(name, hash, false);
        let (sent, one_node) = (self.now(), node.is_some());
        // Boxed: fred needs many kilobytes for a command, which every future that waits for it would hold and move.
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
                    // Redis has replied to nothing since this was sent, so the server hangs or the network is gone.
                    ErrorKind::Timeout if one_node || self.last_reply.load(Relaxed) <= sent => {
                        self.give_up("Redis stopped answering");
                    }
                    // A server has answered, though perhaps only that another node has the key.
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

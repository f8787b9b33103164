//! The connection to Redis: opens it, watches it, opens it anew, and sends scripts over it. What comes without being asked
//! for is in `listen`.
//!
//! fred's own reconnecting is off. It answers every command in flight with the error that one of them met, it measures
//! an unresponsive server from the last write so that steady traffic to a hung one never trips it, and it may send
//! queued commands long after their callers have gone. Here a connection that fails in any way is dropped as a whole,
//! what was in flight has an unknown outcome, and a new connection finds the master again.

mod listen;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::{ClientLike, ClusterInterface, EventInterface},
    types::{
        Builder, ClusterHash, ConnectHandle, CustomCommand, Resp3Frame, RespVersion, Value,
        config::{ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig},
    },
    util::redis_keyslot,
};
use futures_util::future::join_all;
use tokio::sync::{Notify, SetOnce};
use tracing::{info, warn};

use super::{
    confirm::{Confirmer, Terms},
    explain::explain,
    lines::Lines,
    ready,
    recovery::Recovery,
    script::Script,
};
use crate::{lock::Failure, settings};

/// From the loss of a connection to the next attempt.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// How long a connection may be silent before it is tried.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Between two attempts to reach a slot of a cluster that is being moved.
const REDIRECTED_DELAY: Duration = Duration::from_millis(20);

/// What a node of a cluster answers while a slot moves.
const MOVING: [&str; 2] = [REDIRECTED, "TRYAGAIN"];
const REDIRECTED: &str = "MOVED or ASK";

/// Messages that may wait to be read. Should there be more, all waiters ask.
const MOST_MESSAGES: usize = 4096;

/// A connection that is replaced whenever it fails.
pub struct Link {
    settings: settings::Redis,
    max_in_flight: usize,
    in_flight: AtomicUsize,
    line: RwLock<Line>,
    /// The nodes of a cluster that the last connection knew, because the one that the URL names may be gone.
    known_nodes: Mutex<Vec<Server>>,
    /// Attempts to connect so far.
    attempts: AtomicUsize,
    /// The channel to listen to, and whom to tell.
    channel: String,
    lines: Arc<Lines>,
    recovery: Option<Arc<Recovery>>,
    /// Where replicas of Redis confirm successes.
    terms: Option<Terms>,
    /// Set once the first attempt to connect has succeeded or failed.
    tried: SetOnce<()>,
}

enum Line {
    Up(Arc<Connection>),
    Down { why: String },
}

/// A connection to a server, or to all masters of a cluster.
pub struct Connection {
    client: Client,
    opened: Instant,
    /// Milliseconds from `opened` to the last reply.
    last_reply: AtomicU64,
    /// Tells the supervisor that this connection is of no more use.
    useless: Arc<Notify>,
    /// What is opened and dropped with it, for each node as `nodes` has them, where successes are confirmed.
    confirmers: HashMap<Option<Server>, Confirmer>,
}

/// One command among those in flight.
struct Slot<'a>(&'a AtomicUsize);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Link {
    /// Starts connecting in the background.
    pub fn open(
        settings: settings::Redis,
        max_in_flight: usize,
        channel: String,
        lines: Arc<Lines>,
        recovery: Option<Arc<Recovery>>,
        terms: Option<Terms>,
    ) -> Arc<Self> {
        let why = "not connected yet".into();
        let link = Arc::new(Self {
            settings,
            max_in_flight,
            in_flight: AtomicUsize::new(0),
            line: RwLock::new(Line::Down { why }),
            known_nodes: Mutex::default(),
            attempts: AtomicUsize::new(0),
            channel,
            lines,
            recovery,
            terms,
            tried: SetOnce::new(),
        });
        tokio::spawn(supervise(Arc::clone(&link)));
        link
    }

    /// Waits until the first attempt to connect has succeeded or failed.
    pub async fn tried(&self) {
        self.tried.wait().await;
    }

    /// Why there is no connection, if there is none.
    pub fn trouble(&self) -> Option<String> {
        self.connection().err()
    }

    /// Sends a script, and its text once if Redis doesn't know it. Counts among the commands in flight.
    pub async fn call(&self, script: &Script, keys: &[&str], args: &[&str]) -> Result<Resp3Frame, Failure> {
        let slot = Slot(&self.in_flight);
        if self.in_flight.fetch_add(1, Relaxed) >= self.max_in_flight {
            return Err(Failure::Overloaded);
        }
        let reply = self.call_uncounted(script, keys, args).await;
        drop(slot);
        reply
    }

    /// The same beside the bound on commands in flight, for what must be done under overload too.
    pub async fn call_uncounted(&self, script: &Script, keys: &[&str], args: &[&str]) -> Result<Resp3Frame, Failure> {
        self.call_at(None, script, keys, args).await
    }

    /// The same at the given node, else at that of the first key.
    pub async fn call_at(
        &self,
        node: Option<&Server>,
        script: &Script,
        keys: &[&str],
        args: &[&str],
    ) -> Result<Resp3Frame, Failure> {
        let begun = Instant::now();
        loop {
            let connection = self.connection().map_err(Failure::Unreachable)?;
            let reply = connection.run(node, script, keys, args).await;
            // A node that sends elsewhere has executed nothing. After MOVED fred knows the new node; while a slot is on its
            // way, its keys are on either side, and a script finds no node that has them all.
            match reply {
                Err(Failure::Refused(prefix))
                    if MOVING.contains(&prefix.as_ref()) && begun.elapsed() < self.settings.command_timeout =>
                {
                    tokio::time::sleep(REDIRECTED_DELAY).await;
                }
                reply => return reply,
            }
        }
    }

    /// Sends a command that is no script, in a cluster to the given node, else to whichever.
    pub async fn command(
        &self,
        node: Option<Server>,
        name: &'static str,
        args: Vec<Value>,
    ) -> Result<Resp3Frame, Failure> {
        self.connection().map_err(Failure::Unreachable)?.send(node, name, args).await
    }

    /// The nodes that share the keys among them, in a steady order: the masters of a cluster, or one that needs no name.
    pub fn nodes(&self) -> Result<Vec<Option<Server>>, Failure> {
        Ok(self.connection().map_err(Failure::Unreachable)?.nodes())
    }

    /// Returns once enough replicas of the node that has a lock have confirmed what was done to it, or why they don't.
    pub async fn confirm(&self, keys: [String; 2], args: [String; 3]) -> Result<(), String> {
        let connection = self.connection()?;
        let slots = connection.client.cached_cluster_state();
        let node = slots.and_then(|slots| slots.get_server(redis_keyslot(keys[0].as_bytes())).cloned());
        match connection.confirmers.get(&node) {
            Some(confirmer) => confirmer.confirm(keys, args).await,
            None => {
                connection.useless.notify_one();
                Err("the cluster has another master than when it was connected to".into())
            }
        }
    }

    fn connection(&self) -> Result<Arc<Connection>, String> {
        match &*self.line.read().unwrap_or_else(PoisonError::into_inner) {
            Line::Up(connection) => Ok(Arc::clone(connection)),
            Line::Down { why } => Err(why.clone()),
        }
    }

    fn set(&self, line: Line) {
        *self.line.write().unwrap_or_else(PoisonError::into_inner) = line;
        // Only the first time counts.
        let _ = self.tried.set(());
    }

    fn remember_nodes(&self, connection: &Connection) {
        if let Some(slots) = connection.client.cached_cluster_state() {
            *self.known_nodes.lock().unwrap_or_else(PoisonError::into_inner) = slots.unique_primary_nodes();
        }
    }

    /// Notes why there is no connection, and logs it when it is news.
    fn down(&self, why: String) {
        if self.trouble().as_ref() != Some(&why) {
            warn!(redis = %self.settings.url, reason = why, "no usable connection to Redis");
        }
        self.set(Line::Down { why });
    }

    /// A client of whatever the URL names, or of one node of a cluster.
    fn client(&self, node: Option<Server>) -> Result<Client, Error> {
        let mut config = self.settings.url.config();
        if let Some(server) = node {
            config.server = ServerConfig::Centralized { server };
        }
        if let ServerConfig::Clustered { hosts, .. } = &mut config.server {
            hosts.extend(self.known_nodes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        }
        // fred asks the first one that it reaches. That one may hang, be cut off from the others or know of no master, so
        // each attempt begins with another.
        if let ServerConfig::Clustered { hosts, .. } | ServerConfig::Sentinel { hosts, .. } = &mut config.server {
            let attempt = self.attempts.fetch_add(1, Relaxed);
            let first = attempt % hosts.len().max(1);
            hosts.rotate_left(first);
        }
        // One attempt to connect, whose error is returned: repeating it is the supervisor's.
        config.fail_fast = true;
        // In RESP3 messages come over the connection that commands go over: what fails for one fails for both.
        config.version = RespVersion::RESP3;
        let mut builder = Builder::from_config(config);
        builder
            .set_connection_config(ConnectionConfig {
                connection_timeout: self.settings.connect_timeout,
                internal_command_timeout: self.settings.connect_timeout,
                // A script that was sent is never sent again by itself. fred would count a redirection among the attempts,
                // and follows ASK to the node that it came from; `send` asks again instead.
                max_command_attempts: 1,
                max_redirections: 0,
                tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
                ..ConnectionConfig::default()
            })
            .set_performance_config(PerformanceConfig {
                default_command_timeout: self.settings.command_timeout,
                broadcast_channel_capacity: MOST_MESSAGES,
                ..PerformanceConfig::default()
            });
        builder.build()
    }
}

/// Keeps a connection open as long as the process runs.
async fn supervise(link: Arc<Link>) {
    loop {
        let begun = Instant::now();
        match connect(&link).await {
            Ok((connection, mut router)) => {
                info!(redis = %link.settings.url, "connected to Redis");
                link.remember_nodes(&connection);
                link.set(Line::Up(Arc::clone(&connection)));
                // Messages were lost meanwhile, and perhaps the queues.
                link.lines.call_all();
                if let Some(recovery) = link.recovery.clone() {
                    let connection = Arc::clone(&connection);
                    tokio::spawn(async move { recovery.settle_slots(&connection).await });
                }
                let why = connection.watch(&mut router).await;
                link.remember_nodes(&connection);
                link.down(why.into());
                // What is in flight may still be answered, with the truth instead of an unknown outcome.
                let in_flight = link.settings.command_timeout;
                tokio::spawn(async move {
                    tokio::time::sleep(in_flight).await;
                    router.abort();
                });
            }
            Err(why) => link.down(why),
        }
        // A connection that lasted is replaced at once.
        tokio::time::sleep_until((begun + RETRY_DELAY).into()).await;
    }
}

/// Opens a connection to a server that is fit to keep locks.
async fn connect(link: &Link) -> Result<(Arc<Connection>, ConnectHandle), String> {
    let (mut connection, mut router, infos) = reach(link, None).await?;
    let fitness = infos.iter().try_for_each(|info| match info {
        Ok(info) => ready::judge(info),
        Err(failure) => ready::unread(failure),
    });
    let mut messages = connection.client.message_rx();
    let begun = async {
        fitness?;
        if let Some(recovery) = &link.recovery {
            recovery.begin(&connection).await?;
        }
        let confirmers = match &link.terms {
            Some(terms) => confirmers(link, &connection, &infos, terms).await?,
            None => HashMap::new(),
        };
        listen::begin(link, &connection, &mut messages).await?;
        Ok(confirmers)
    };
    let begun = tokio::select! {
        _ = &mut router => Err("Redis closed the connection".to_string()),
        begun = begun => begun,
    };
    match begun {
        Ok(confirmers) => connection.confirmers = confirmers,
        Err(why) => {
            router.abort();
            return Err(why);
        }
    }
    // Ends with the client.
    tokio::spawn(listen::pass_on(messages, Arc::clone(&link.lines)));
    Ok((Arc::new(connection), router))
}

/// What `INFO` says of each node.
type Infos = Vec<Result<Resp3Frame, Failure>>;

/// Opens a connection, to one node of a cluster or to whatever the URL names.
async fn reach(link: &Link, node: Option<Server>) -> Result<(Connection, ConnectHandle, Infos), String> {
    let client = link.client(node).map_err(|error| explain(&error))?;
    let mut router = client.init().await.map_err(|error| explain(&error))?;
    let (opened, last_reply, useless) = (Instant::now(), AtomicU64::new(0), Arc::new(Notify::new()));
    let connection = Connection { client, opened, last_reply, useless, confirmers: HashMap::new() };
    // fred takes a connection that closes while it is being set up for a good one. It ends at once, and nothing that is
    // sent over it is answered.
    let infos = join_all(connection.nodes().into_iter().map(|node| connection.send(node, "INFO", vec![])));
    let infos = tokio::select! {
        _ = &mut router => return Err("Redis closed the connection".into()),
        infos = infos => infos,
    };
    Ok((connection, router, infos))
}

/// A connection beside the given one to each of its nodes.
async fn confirmers(
    link: &Link,
    beside: &Connection,
    infos: &Infos,
    terms: &Terms,
) -> Result<HashMap<Option<Server>, Confirmer>, String> {
    let mut confirmers = HashMap::new();
    for node in beside.nodes() {
        let (connection, router, other) = reach(link, node.clone()).await?;
        // During a failover the two may find different masters. Nothing would ever be confirmed.
        if node.is_none() && ready::process(infos)? != ready::process(&other)? {
            router.abort();
            return Err("two connections to Redis have reached two servers".into());
        }
        let useless = Arc::clone(&beside.useless);
        confirmers.insert(node, Confirmer::start(connection, router, terms.clone(), move || useless.notify_one()));
    }
    Ok(confirmers)
}

impl Connection {
    /// Waits until the connection is of no more use. Says why.
    pub async fn watch(&self, router: &mut ConnectHandle) -> &'static str {
        // While nobody asks for anything, a dead connection would go unnoticed until somebody does. In a cluster one node
        // may hang while the others answer.
        let heartbeat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let nodes = self.client.cached_cluster_state().map(|slots| slots.unique_primary_nodes());
                if let Some(nodes) = nodes {
                    join_all(nodes.into_iter().map(|node| self.send(Some(node), "PING", vec![]))).await;
                } else if self.now() - self.last_reply.load(Relaxed) >= HEARTBEAT.as_millis() as u64 {
                    // Where no reply comes, the connection is marked useless.
                    let _ = self.send(None, "PING", vec![]).await;
                }
            }
        };
        tokio::select! {
            _ = router => "Redis closed the connection",
            () = self.useless.notified() => "Redis stopped answering, or is no longer the master",
            never = heartbeat => never,
        }
    }

    /// The masters of a cluster in a steady order, or one that needs no name.
    fn nodes(&self) -> Vec<Option<Server>> {
        let Some(slots) = self.client.cached_cluster_state() else { return vec![None] };
        let mut nodes = slots.unique_primary_nodes();
        nodes.sort();
        nodes.into_iter().map(Some).collect()
    }

    /// Sends a script, in a cluster to the given node or to that of its first key, and its text once if Redis doesn't know
    /// it. Only the node that lacks it gets it: loading it everywhere would be a stampede.
    pub async fn run(
        &self,
        node: Option<&Server>,
        script: &Script,
        keys: &[&str],
        args: &[&str],
    ) -> Result<Resp3Frame, Failure> {
        match self.send(node.cloned(), "EVALSHA", script_args(&script.sha, keys, args)).await {
            Err(Failure::Refused(prefix)) if prefix == "NOSCRIPT" => {
                self.send(node.cloned(), "EVAL", script_args(&script.source, keys, args)).await
            }
            reply => reply,
        }
    }

    pub async fn send(
        &self,
        node: Option<Server>,
        name: &'static str,
        args: Vec<Value>,
    ) -> Result<Resp3Frame, Failure> {
        // The first key decides the slot; a script's keys follow its name and their number. fred takes no other hash of a
        // custom command than a slot that was computed before.
        let first_key = args.get(2).filter(|_| name.starts_with("EVAL")).and_then(Value::as_bytes);
        let hash = first_key.map_or(ClusterHash::Random, |key| ClusterHash::Custom(redis_keyslot(key)));
        let command = CustomCommand::new_static(name, hash, false);
        let (sent, one_node) = (self.now(), node.is_some());
        let reply = match node {
            None => self.client.custom_raw(command, args).await,
            Some(node) => self.client.with_cluster_node(node).custom_raw(command, args).await,
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
            Err(error) if *error.kind() == ErrorKind::Timeout => {
                // Nothing at all came back since this was sent, so the server hangs or the network is gone.
                if one_node || self.last_reply.load(Relaxed) <= sent {
                    self.useless.notify_one();
                }
                Err(Failure::Unknown("Redis did not reply in time".into()))
            }
            // fred has learnt of the new node, if it is one for good.
            Err(error) if *error.kind() == ErrorKind::Routing => {
                self.last_reply.store(self.now(), Relaxed);
                Err(Failure::Refused(REDIRECTED.into()))
            }
            Err(error) => Err(Failure::Unknown(format!("the connection failed: {}", explain(&error)))),
        }
    }

    /// An error of Redis by its first word; the rest differs between versions.
    fn refusal(&self, message: &str) -> Failure {
        let prefix = message.split_ascii_whitespace().next().unwrap_or_default();
        match prefix {
            "READONLY" => {
                self.useless.notify_one();
                Failure::Refused(prefix.into())
            }
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF" | "NOREPLICAS" | "BUSY" | "OOM"
            | "NOSCRIPT" => Failure::Refused(prefix.into()),
            _ => Failure::Broken(format!("Redis answered: {}", message.trim_end_matches('.'))),
        }
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

fn script_args(script: &str, keys: &[&str], args: &[&str]) -> Vec<Value> {
    let mut all = Vec::with_capacity(2 + keys.len() + args.len());
    all.push(script.into());
    all.push((keys.len() as i64).into());
    all.extend(keys.iter().chain(args).map(|&text| Value::from(text)));
    all
}

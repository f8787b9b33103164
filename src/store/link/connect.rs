//! Opens connections.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use fred::{
    clients::Client,
    interfaces::ClientLike,
    types::{
        Builder, ConnectHandle, Resp3Frame, RespVersion,
        config::{ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig},
    },
};
use futures_util::future::join_all;

use super::{
    confirmer::{Confirmer, RequiredAcks},
    connection::Connection,
    error::Error,
    events::Events,
    explain::explain,
    fitness, listen,
};
use crate::{metrics::Metrics, settings};

/// Messages that may wait until Gorilla reads them. If there are more, all waiters ask Redis.
const MOST_MESSAGES: usize = 4096;

/// The setting that has two connections compared.
const ACKS: &str = "redis.min_replicas_ack";

/// Opens connections to what the settings name.
pub struct Connector {
    /// Where Redis is, and how long it may take.
    pub settings: settings::Redis,
    /// The channel of this replica.
    channel: String,
    /// Given if replicas of Redis confirm successes.
    required: Option<RequiredAcks>,
    /// The nodes of a cluster that the last connection knew, because the node that the URL names may be gone.
    known_nodes: Mutex<Vec<Server>>,
    /// Attempts to connect so far.
    attempts: AtomicUsize,
    /// What is told of messages and connections.
    pub events: Arc<dyn Events>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// A connection that can be used, with what is opened and dropped with it.
pub struct Session {
    /// The connection for commands.
    pub connection: Arc<Connection>,
    /// If replicas of Redis confirm successes: a confirmer for each of `Connection::nodes`.
    pub confirmers: HashMap<Option<Server>, Confirmer>,
}

/// What `INFO` says of each node.
type Infos = Vec<Result<Resp3Frame, Error>>;

impl Connector {
    /// Connects to nothing yet.
    pub fn new(
        settings: settings::Redis,
        channel: String,
        required: Option<RequiredAcks>,
        events: Arc<dyn Events>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (known_nodes, attempts) = Default::default();
        Self { settings, channel, required, known_nodes, attempts, events, metrics }
    }

    /// Keeps in mind which nodes a cluster has now.
    pub fn remember_nodes(&self, connection: &Connection) {
        if let Some(masters) = connection.masters() {
            *self.known_nodes.lock().unwrap_or_else(PoisonError::into_inner) = masters;
        }
    }

    /// Opens a connection to a server that is fit to keep locks.
    pub async fn connect(&self) -> Result<(Session, ConnectHandle), String> {
        let (connection, mut router, infos) = self.reach(None).await?;
        let fitness = infos.iter().try_for_each(|info| match info {
            Ok(info) => fitness::judge(info),
            Err(error) => fitness::judge_unread(error),
        });
        let mut messages = connection.messages();
        let begun = async {
            fitness?;
            self.events.begin(&connection).await?;
            let confirmers = match &self.required {
                Some(required) => self.confirmers(&connection, &infos, required).await?,
                None => HashMap::new(),
            };
            let patience = self.settings.connect_timeout;
            listen::begin(&self.channel, patience, &connection, &mut messages, &*self.events).await?;
            Ok(confirmers)
        };
        let begun = tokio::select! {
            _ = &mut router => Err("Redis closed the connection".to_string()),
            begun = begun => begun,
        };
        let confirmers = match begun {
            Ok(confirmers) => confirmers,
            Err(why) => {
                router.abort();
                return Err(why);
            }
        };
        // Ends with the client.
        tokio::spawn(listen::pass_on(messages, Arc::clone(&self.events)));
        Ok((Session { connection: Arc::new(connection), confirmers }, router))
    }

    /// Opens one more connection to what the URL names, or to a node of a cluster, with the process of the server.
    pub async fn beside(&self, node: Option<Server>) -> Result<(Connection, ConnectHandle, String), String> {
        let (connection, router, infos) = self.reach(node).await?;
        match fitness::process(&infos, "the reader of events") {
            Ok(run) => Ok((connection, router, run)),
            Err(why) => {
                router.abort();
                Err(why)
            }
        }
    }

    /// Opens a connection, to one node of a cluster or to whatever the URL names.
    async fn reach(&self, node: Option<Server>) -> Result<(Connection, ConnectHandle, Infos), String> {
        let client = self.client(node).map_err(|error| explain(&error))?;
        let mut router = client.init().await.map_err(|error| explain(&error))?;
        let connection = Connection::new(client, Arc::clone(&self.metrics));
        // If a connection closes while fred sets it up, fred takes it for a good connection. Its router ends at once,
        // and Redis answers nothing that is sent over it.
        let infos = join_all(connection.nodes().into_iter().map(|node| connection.send(node, "INFO", vec![])));
        let infos = tokio::select! {
            _ = &mut router => return Err("Redis closed the connection".into()),
            infos = infos => infos,
        };
        Ok((connection, router, infos))
    }

    /// Opens a connection for confirmations to each node of the given connection.
    async fn confirmers(
        &self,
        beside: &Connection,
        infos: &Infos,
        required: &RequiredAcks,
    ) -> Result<HashMap<Option<Server>, Confirmer>, String> {
        let mut confirmers = HashMap::new();
        for node in beside.nodes() {
            let (connection, router, other) = self.reach(node.clone()).await?;
            // During a failover the two connections may find different masters. Then nothing would ever be confirmed.
            if node.is_none() && fitness::process(infos, ACKS)? != fitness::process(&other, ACKS)? {
                router.abort();
                return Err("two connections to Redis have reached two servers".into());
            }
            let useless = beside.useless();
            let ended = move |why| {
                // The first reason counts.
                let _ = useless.set(why);
            };
            confirmers.insert(node, Confirmer::start(connection, router, required.clone(), ended));
        }
        Ok(confirmers)
    }

    /// A client of the server that the URL names, or of a node of a cluster.
    fn client(&self, node: Option<Server>) -> Result<Client, fred::error::Error> {
        let mut config = self.settings.url.config();
        if let Some(server) = node {
            config.server = ServerConfig::Centralized { server };
        }
        if let ServerConfig::Clustered { hosts, .. } = &mut config.server {
            hosts.extend(self.known_nodes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        }
        // fred asks the first host that it reaches. That host may hang, be cut off from the others or know of no
        // master, so each attempt begins with another host.
        if let ServerConfig::Clustered { hosts, .. } | ServerConfig::Sentinel { hosts, .. } = &mut config.server {
            let attempt = self.attempts.fetch_add(1, Relaxed);
            let first = attempt % hosts.len().max(1);
            hosts.rotate_left(first);
        }
        // fred makes one attempt to connect and returns its error. The supervisor repeats the attempt.
        config.fail_fast = true;
        // With RESP3, messages come over the connection of the commands, so neither can fail without the other.
        config.version = RespVersion::RESP3;
        let mut builder = Builder::from_config(config);
        builder
            .set_connection_config(ConnectionConfig {
                connection_timeout: self.settings.connect_timeout,
                internal_command_timeout: self.settings.connect_timeout,
                // fred must never send a script again by itself. It would count a redirection as an attempt, and it
                // follows ASK to the node that ASK came from. `Link::call_at` asks again instead.
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

//! Opens connections, and keeps one open.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use fred::{
    clients::Client,
    error::Error,
    interfaces::{ClientLike, EventInterface},
    types::{
        Builder, ConnectHandle, Resp3Frame, RespVersion,
        config::{ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig},
    },
};
use futures_util::future::join_all;
use tracing::info;

use super::{Line, Link, connection::Connection, listen};
use crate::{
    lock::Failure,
    store::{
        confirm::{Confirmer, Terms},
        explain::explain,
        ready,
    },
};

/// From the loss of a connection to the next attempt.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Messages that may wait to be read. Should there be more, all waiters ask.
const MOST_MESSAGES: usize = 4096;

/// Keeps a connection open as long as the process runs.
pub async fn supervise(link: Arc<Link>) {
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
    let connection = Connection::new(client);
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
        let ended = move |why| {
            // The first reason stands.
            let _ = useless.set(why);
        };
        confirmers.insert(node, Confirmer::start(connection, router, terms.clone(), ended));
    }
    Ok(confirmers)
}

impl Link {
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

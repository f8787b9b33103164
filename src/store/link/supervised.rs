//! The connection to Redis, which Gorilla replaces whenever it fails.

use std::{
    mem,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use fred::types::{ConnectHandle, Resp3Frame, Value, config::Server};
use gorilla_scripts::Request;
use tokio::sync::SetOnce;
use tracing::{info, warn};

use super::{
    confirmer::{RequiredAcks, Shows},
    connect::{Connector, Session},
    connection::Connection,
    error::Error,
    events::Events,
};
use crate::{metrics::Metrics, settings};

/// From the loss of a connection to the next attempt.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// Between two attempts to reach a slot of a cluster that is being moved.
const MOVING_DELAY: Duration = Duration::from_millis(20);

/// The link to Redis.
pub struct Link {
    connector: Connector,
    max_in_flight: usize,
    in_flight: AtomicUsize,
    state: RwLock<LinkState>,
    /// Set once the first attempt to connect has succeeded or failed.
    tried: SetOnce<()>,
}

enum LinkState {
    Up(Arc<Session>),
    Down { why: String },
}

/// Counts a command as in flight until this is dropped.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
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
        required: Option<RequiredAcks>,
        events: Arc<dyn Events>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let link = Arc::new(Self {
            connector: Connector::new(settings, channel, required, events, metrics),
            max_in_flight,
            in_flight: AtomicUsize::new(0),
            state: RwLock::new(LinkState::Down { why: "not connected yet".into() }),
            tried: SetOnce::new(),
        });
        let supervised = Arc::clone(&link);
        tokio::spawn(async move { supervised.supervise().await });
        link
    }

    /// Keeps a connection open as long as the process runs.
    async fn supervise(&self) {
        let Connector { settings, events, metrics, .. } = &self.connector;
        let mut is_first = true;
        loop {
            let begun = Instant::now();
            match self.connector.connect().await {
                Ok((session, mut router)) => {
                    info!(redis = %settings.url, "connected to Redis");
                    if !mem::take(&mut is_first) {
                        metrics.redis.reconnects.inc();
                    }
                    let connection = Arc::clone(&session.connection);
                    self.connector.remember_nodes(&connection);
                    self.set(LinkState::Up(Arc::new(session)));
                    events.messages_lost();
                    events.connected(Arc::clone(&connection));
                    let why = connection.watch(&mut router).await;
                    self.connector.remember_nodes(&connection);
                    self.down(why.into());
                    // Redis may still answer the commands in flight, whose outcome is then known.
                    let in_flight = settings.command_timeout;
                    tokio::spawn(async move {
                        tokio::time::sleep(in_flight).await;
                        router.abort();
                    });
                }
                Err(why) => self.down(why),
            }
            // A connection that lasted is replaced at once.
            tokio::time::sleep_until((begun + RETRY_DELAY).into()).await;
        }
    }

    /// Waits until the first attempt to connect has succeeded or failed.
    pub async fn tried(&self) {
        self.tried.wait().await;
    }

    /// How many requests wait for Redis.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// If there is no connection, why.
    pub fn trouble(&self) -> Option<String> {
        self.session(|_| ()).err()
    }

    /// Runs a script, whose text it sends once if Redis doesn't know it. Counts among the commands in flight.
    pub async fn call(&self, request: Request) -> Result<Bytes, Error> {
        let counted = InFlight(&self.in_flight);
        if self.in_flight.fetch_add(1, Relaxed) >= self.max_in_flight {
            return Err(Error::Overloaded);
        }
        let reply = self.call_uncounted(request).await;
        drop(counted);
        reply
    }

    /// The same, whatever the bound on commands in flight, for what Gorilla must do under overload too.
    pub fn call_uncounted(&self, request: Request) -> impl Future<Output = Result<Bytes, Error>> {
        self.call_at(None, request)
    }

    /// The same at the given node, or else at the node of the first key.
    pub async fn call_at(&self, node: Option<&Server>, request: Request) -> Result<Bytes, Error> {
        let connection = self.connection()?;
        // Where there is one server, it has all keys, and nothing is asked twice.
        if !connection.is_clustered() {
            return connection.request(request).await;
        }
        // Boxed, so that requests to one server keep no room for it.
        Box::pin(self.call_in_cluster(node, &request)).await
    }

    /// The same in a cluster.
    async fn call_in_cluster(&self, node: Option<&Server>, request: &Request) -> Result<Bytes, Error> {
        let begun = Instant::now();
        loop {
            let reply = self.connection()?.run(node, request).await;
            // A node that names another node has executed nothing. After MOVED fred knows the new node. While a slot
            // moves, some of its keys are on each of two nodes, and no node has all keys of a script.
            match reply {
                Err(error) if error.is_moving() && begun.elapsed() < self.connector.settings.command_timeout => {
                    tokio::time::sleep(MOVING_DELAY).await;
                }
                reply => return reply,
            }
        }
    }

    /// Sends a command that is not a script: in a cluster to the given node, or else to any node.
    pub async fn command(
        &self,
        node: Option<Server>,
        name: &'static str,
        args: Vec<Value>,
    ) -> Result<Resp3Frame, Error> {
        self.connection()?.send(node, name, args).await
    }

    /// The address of the only server; nothing without a connection, and of a cluster.
    pub fn address(&self) -> Option<Server> {
        self.connection().ok()?.address()
    }

    /// Sends a command that is not a script to the node that has a key.
    pub async fn command_at_key(&self, key: &str, name: &'static str, args: Vec<Value>) -> Result<Resp3Frame, Error> {
        let begun = Instant::now();
        loop {
            let connection = self.connection()?;
            let node = connection.node_of(key.as_bytes());
            match connection.send(node, name, args.clone()).await {
                Err(error) if error.is_moving() && begun.elapsed() < self.connector.settings.command_timeout => {
                    tokio::time::sleep(MOVING_DELAY).await;
                }
                reply => return reply,
            }
        }
    }

    /// The nodes among which the keys are divided, in a steady order: the masters of a cluster, or `None` for the only
    /// server.
    pub fn nodes(&self) -> Result<Vec<Option<Server>>, Error> {
        Ok(self.connection()?.nodes())
    }

    /// Returns once enough replicas of the node that has the first key of a request have confirmed what the reply to
    /// the request shows, or why they don't.
    pub async fn confirm(&self, request: Request, shows: Shows) -> Result<(), String> {
        let session = self.session(Arc::clone)?;
        let node = session.connection.node_of(request.first_key().unwrap_or_default());
        match session.confirmers.get(&node) {
            Some(confirmer) => confirmer.confirm(request, shows).await,
            None => {
                let why = "the cluster has a master that Gorilla is not connected to";
                session.connection.give_up(why);
                Err(why.into())
            }
        }
    }

    /// Opens a connection beside the one that is kept open, in a cluster to a node: the connection, its router, and the
    /// process of the server. An error is a part of a sentence.
    pub async fn beside(&self, node: Option<Server>) -> Result<(Connection, ConnectHandle, String), String> {
        self.connector.beside(node).await
    }

    /// The masters of a cluster, each with its slots, as far as is known here.
    pub fn slots(&self) -> Result<Vec<(Server, Vec<u16>)>, Error> {
        let lacks_some = || Error::Unreachable("no master is known for some slot of the cluster".into());
        self.connection()?.slots().ok_or_else(lacks_some)
    }

    fn connection(&self) -> Result<Arc<Connection>, Error> {
        self.session(|session| Arc::clone(&session.connection)).map_err(Error::Unreachable)
    }

    /// Takes something of the open connection. An error says why there is no connection.
    fn session<T>(&self, take: impl Fn(&Arc<Session>) -> T) -> Result<T, String> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            LinkState::Up(session) => Ok(take(session)),
            LinkState::Down { why } => Err(why.clone()),
        }
    }

    fn set(&self, state: LinkState) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        // Only the first call counts.
        let _ = self.tried.set(());
    }

    /// Notes why there is no connection, and logs the reason if it is new.
    fn down(&self, why: String) {
        if self.trouble().as_ref() != Some(&why) {
            warn!(redis = %self.connector.settings.url, reason = why, "no usable connection to Redis");
        }
        self.set(LinkState::Down { why });
    }
}

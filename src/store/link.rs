//! The connection to Redis: how it is opened, and opened anew, is in `connect`, what is sent over it in `connection`, how
//! many requests become one command in `batch`, and what comes without being asked for in `listen`.
//!
//! fred's own reconnecting is off. It answers every command in flight with the error that one of them met, it measures
//! an unresponsive server from the last write so that steady traffic to a hung one never trips it, and it may send
//! queued commands long after their callers have gone. Here a connection that fails in any way is dropped as a whole,
//! what was in flight has an unknown outcome, and a new connection finds the master again.

mod batch;
mod connect;
mod connection;
mod listen;

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fred::{
    interfaces::ClusterInterface,
    types::{Resp3Frame, Value, config::Server},
    util::redis_keyslot,
};
use tokio::sync::SetOnce;
use tracing::warn;

use gorilla_scripts::Request;

use super::{confirm::Terms, lines::Lines, recovery::Recovery};
use crate::{lock::Failure, settings};
pub use connection::Connection;

/// Between two attempts to reach a slot of a cluster that is being moved.
const REDIRECTED_DELAY: Duration = Duration::from_millis(20);

/// What a node of a cluster answers while a slot moves.
const MOVING: [&str; 2] = [REDIRECTED, "TRYAGAIN"];
const REDIRECTED: &str = "MOVED or ASK";

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
        tokio::spawn(connect::supervise(Arc::clone(&link)));
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
    pub async fn call(&self, request: Request) -> Result<Resp3Frame, Failure> {
        let slot = Slot(&self.in_flight);
        if self.in_flight.fetch_add(1, Relaxed) >= self.max_in_flight {
            return Err(Failure::Overloaded);
        }
        let reply = self.call_uncounted(request).await;
        drop(slot);
        reply
    }

    /// The same beside the bound on commands in flight, for what must be done under overload too.
    pub async fn call_uncounted(&self, request: Request) -> Result<Resp3Frame, Failure> {
        self.call_at(None, request).await
    }

    /// The same at the given node, else at that of the first key.
    pub async fn call_at(&self, node: Option<&Server>, request: Request) -> Result<Resp3Frame, Failure> {
        let begun = Instant::now();
        loop {
            let connection = self.connection().map_err(Failure::Unreachable)?;
            let reply = match node {
                None => connection.request(&request).await,
                node => connection.run(node, &request).await,
            };
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
    pub async fn confirm(&self, request: Request) -> Result<(), String> {
        let connection = self.connection()?;
        let slots = connection.client.cached_cluster_state();
        let key = request.first_key().unwrap_or_default();
        let node = slots.and_then(|slots| slots.get_server(redis_keyslot(key)).cloned());
        match connection.confirmers.get(&node) {
            Some(confirmer) => confirmer.confirm(request).await,
            None => {
                let why = "the cluster has another master than when it was connected to";
                connection.give_up(why);
                Err(why.into())
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
}

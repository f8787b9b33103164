//! Look at what all replicas do, and at what Redis tells of itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gorilla_domain::{Failure, Verb};
use gorilla_wire::{Features, Identity, Me, Redis, RedisNode, Replicas, Resources, Stats, Topology};
use tokio::time::Instant;

use super::{base::Service, cached::Cached, caller::Caller, refusal::Refusal};
use crate::{
    fleet::{self, History, Range, read_info},
    rfc3339::Rfc3339,
    settings::Record,
    store::Store,
};

/// How long what was read of other replicas holds.
const FRESH: Duration = Duration::from_secs(1);
/// How long what Redis has told of itself holds.
const REDIS_FRESH: Duration = Duration::from_secs(2);
/// A replica that nobody asks for so long keeps nothing of what others have told.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all replicas have told, as far as this replica has read it, and what Redis has told.
pub struct Fleet {
    read: Cached<(), (Arc<History>, i64)>,
    redis: Cached<(), Vec<RedisNode>>,
    kept: Mutex<Kept>,
}

/// What was read, so that the next time only what is new has to be read.
#[derive(Default)]
struct Kept {
    history: Arc<History>,
    /// The last entry.
    last: Option<String>,
    asked: Option<Instant>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { read: Cached::new(FRESH), redis: Cached::new(REDIS_FRESH), kept: Mutex::default() }
    }
}

impl Fleet {
    /// What all replicas have told, and the time of Redis in milliseconds since 1970.
    pub async fn history(&self, store: &Store) -> Result<(Arc<History>, i64), Failure> {
        let read = async {
            let now = store.time().await?.timestamp_millis();
            let (mut history, last) = {
                let mut kept = self.kept();
                kept.asked = Some(Instant::now());
                (Arc::clone(&kept.history), kept.last.clone())
            };
            let after = match &last {
                Some(last) => format!("({last}"),
                None => (now - Range::LONGEST.millis()).to_string(),
            };
            let told = store.told_since(&after).await?;
            let changed = Arc::make_mut(&mut history);
            told.iter().for_each(|told| changed.add(told.at(), &told.text));
            changed.forget(now);
            let mut kept = self.kept();
            kept.last = told.last().map(|told| told.id.clone()).or(last);
            kept.history = Arc::clone(&history);
            Ok((history, now))
        };
        self.read.or((), read).await
    }

    /// Whether somebody has asked lately. If not, forgets what was read.
    pub fn is_asked(&self) -> bool {
        let mut kept = self.kept();
        let is_asked = kept.asked.is_some_and(|asked| asked.elapsed() < PATIENCE);
        if !is_asked {
            *kept = Kept::default();
        }
        is_asked
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// What all replicas together did in a range that ends now, and do now.
    pub async fn stats(self: &Arc<Self>, range: Range) -> Result<Stats, Refusal> {
        let (history, now) = self.fleet.history(&self.store).await?;
        self.census.count(&history, now);
        Ok(fleet::stats(&history, range, now, self.census.counted()))
    }

    /// The replicas that are there.
    pub async fn replicas(&self) -> Result<Replicas, Refusal> {
        let (history, now) = self.fleet.history(&self.store).await?;
        let replicas = fleet::replicas(&history, now);
        let now = Rfc3339::from_millis(now).as_str().into();
        Ok(Replicas { now, answered_by: self.store.replica().into(), replicas })
    }

    /// What Redis tells of itself.
    pub async fn redis(&self) -> Result<Redis, Refusal> {
        let ask = async {
            let nodes = self.store.info().await?.into_iter().map(|node| {
                let (info, problem) = match node.info {
                    Ok(text) => (Some(read_info(&text)), None),
                    Err(problem) => (None, Some(problem)),
                };
                RedisNode { address: node.address, problem, info }
            });
            Ok::<_, Failure>(nodes.collect())
        };
        let nodes = self.fleet.redis.or((), ask).await?;
        let settings = &self.settings.redis;
        let topology = match (settings.url.is_cluster(), settings.url.is_sentinel()) {
            (true, _) => Topology::Cluster,
            (_, true) => Topology::Sentinel,
            _ => Topology::Standalone,
        };
        Ok(Redis {
            topology,
            nodes,
            failover_grace_ms: settings.failover_grace.as_millis() as u64,
            grace_left_ms: self.store.recovering().as_millis() as u64,
            required_acks: settings.min_replicas_ack.into(),
        })
    }

    /// Who asks, what it may do, and what this replica can.
    pub fn me(&self, caller: &Caller) -> Me {
        let identity = caller.identity.as_deref();
        let resources = |verb: Verb| {
            let Some(identity) = identity else {
                return Some(Resources { all: true, prefixes: vec![String::new()], names: Vec::new() });
            };
            let scope = identity.scope(verb);
            let prefixes = scope.prefixes().to_vec();
            let of = || Resources { all: scope.is_everything(), prefixes, names: scope.names().to_vec() };
            (!scope.is_empty()).then(of)
        };
        let events = match self.settings.events.record {
            Record::Listened => "listened",
            Record::Always => "always",
            Record::Off => "off",
        };
        let rights = Verb::ALL.into_iter().filter_map(|verb| Some((verb.as_str().into(), resources(verb)?)));
        Me {
            replica: self.store.replica().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            keys_demanded: self.access.is_some(),
            identity: identity.map(|identity| Identity {
                name: identity.name.clone(),
                role: identity.role.name.clone(),
                owner_prefix: identity.owner_prefix.clone(),
                expires_at: identity.expires.map(|at| Rfc3339::to_millis(at).as_str().into()),
            }),
            rights: rights.collect(),
            features: Features { events: events.into(), pulse: self.settings.events.pulse },
        }
    }
}

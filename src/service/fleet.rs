//! Look at what all replicas do, and at what Redis tells of itself.

use std::sync::Arc;

use gorilla_domain::{Failure, Verb};
use gorilla_wire::{Features, Identity, Me, Redis, RedisNode, Replicas, Resources, Stats, Topology};

use super::{aside::aside, base::Service, caller::Caller, refusal::Refusal};
use crate::{
    fleet::{self, Range, read_info},
    rfc3339::Rfc3339,
    settings::Record,
};

impl Service {
    /// What all replicas together did in a range that ends now, and do now.
    pub async fn stats(&self, range: Range) -> Result<Arc<Stats>, Refusal> {
        let add_up = async {
            let (history, now) = self.fleet.history(&self.store).await?;
            self.census.count(&history, now);
            let counted = self.census.counted();
            aside(move || Arc::new(fleet::stats(&history, range, now, counted))).await
        };
        Ok(self.fleet.stats.or(range, add_up).await?)
    }

    /// The replicas that are there.
    pub async fn replicas(&self) -> Result<Replicas, Refusal> {
        let (history, now) = self.fleet.history(&self.store).await?;
        let replicas = aside(move || fleet::replicas(&history, now)).await?;
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
            key_prefix: self.settings.redis.key_prefix.0.clone(),
            features: Features { events: events.into(), pulse: self.settings.events.pulse },
        }
    }
}

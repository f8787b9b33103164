//! Servers and replicas of a run, and what can be done to them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gorilla_harness::{Cluster, Proxy, Redis, Replica, Sentinel, WallClock, eventually};

use crate::{
    cell::{Cell, Fault, Topology},
    client::LONGEST_LEASE,
    world::World,
};

/// Replicas of Gorilla in each deployment.
const REPLICAS: usize = 3;

/// What keeps the locks.
pub enum Servers {
    /// One Redis.
    Standalone(Redis),
    /// One master at a time.
    Sentinel(Sentinel),
    /// Several masters.
    Cluster(Cluster),
}

/// A running service.
pub struct Deployment {
    /// What keeps the locks.
    pub servers: Servers,
    /// The link of each replica to a Redis that stands alone.
    pub links: Vec<Proxy>,
    /// Redis's clock, where it can be moved.
    pub clock: Option<WallClock>,
    /// `None` in the place of a replica that was killed.
    pub replicas: Vec<Option<Replica>>,
    /// Which places have, or get, a replica of version 0.1.
    pub of_0_1: Vec<bool>,
    program: PathBuf,
    settings: Vec<(String, String)>,
}

impl Deployment {
    /// Starts what a cell needs, with this program as Gorilla, and waits until all replicas are ready.
    pub async fn start(cell: Cell, program: PathBuf) -> Self {
        let clock = matches!(cell.fault, Fault::ClockForward | Fault::ClockBack).then(WallClock::new);
        let servers = match cell.topology {
            Topology::Standalone => {
                // With appendfsync always, Redis ends if it can't write the file.
                let fsync: &[&str] = match cell.fault {
                    Fault::DiskFull => &["--appendfsync", "everysec"],
                    Fault::RedisEmptied => &["--appendonly", "no"],
                    _ => &[],
                };
                Servers::Standalone(Redis::start_in(fsync, &clock.as_ref().map(WallClock::env).unwrap_or_default()))
            }
            Topology::Sentinel if cell.fault == Fault::MasterCutOff => {
                Servers::Sentinel(Sentinel::start_behind_link().await)
            }
            Topology::Sentinel => Servers::Sentinel(Sentinel::start().await),
            Topology::Cluster => Servers::Cluster(Cluster::with_replicas().await),
        };
        let mut links = Vec::new();
        if let Servers::Standalone(redis) = &servers {
            for _ in 0..REPLICAS {
                links.push(Proxy::to(redis).await);
            }
        }
        let longest = format!("{LONGEST_LEASE}ms");
        let mut settings = vec![
            ("GORILLA__LOG__REQUESTS".into(), "false".into()),
            ("GORILLA__LIMITS__MAX_TIMEOUT".into(), longest.clone()),
            ("GORILLA__SERVER__DRAIN_DELAY".into(), "300ms".into()),
        ];
        if cell.grace {
            settings.push(("GORILLA__REDIS__FAILOVER_GRACE".into(), longest));
        }
        if cell.acked {
            settings.push(("GORILLA__REDIS__MIN_REPLICAS_ACK".into(), "1".into()));
        }
        let mut deployment = Self {
            servers,
            links,
            clock,
            replicas: Vec::new(),
            of_0_1: (0..REPLICAS).map(|index| cell.starts_with_0_1(index)).collect(),
            program,
            settings,
        };
        for index in 0..REPLICAS {
            let replica = deployment.new_replica(index);
            deployment.replicas.push(Some(replica));
        }
        eventually("all replicas are ready", Duration::from_secs(20), || deployment.ready()).await;
        deployment
    }

    /// Starts a replica of Gorilla for a place.
    pub fn new_replica(&self, index: usize) -> Replica {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let program = if self.of_0_1[index] { &Replica::program_of_0_1() } else { &self.program };
        Replica::of(program, &self.url(index), &settings)
    }

    /// Puts a replica in its place, where clients find it.
    pub fn put(&mut self, index: usize, replica: Replica, world: &World) {
        world.replace(index, replica.api.clone(), !self.of_0_1[index]);
        self.replicas[index] = Some(replica);
    }

    /// Whether all replicas say that they are ready.
    pub async fn ready(&self) -> bool {
        for replica in self.replicas.iter().flatten() {
            let asked = replica.api.try_send(reqwest::Method::GET, "/_ready", &[], None);
            let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
            if !matches!(answer, Ok(Ok(answer)) if answer.status == 200) {
                return false;
            }
        }
        true
    }

    /// The ports of all nodes of Redis.
    pub fn ports(&self) -> Vec<u16> {
        match &self.servers {
            Servers::Standalone(redis) => vec![redis.port],
            Servers::Sentinel(sentinel) => sentinel.nodes.iter().map(|node| node.port).collect(),
            Servers::Cluster(cluster) => cluster.nodes.iter().map(|node| node.port).collect(),
        }
    }

    /// The keys of all resources that would stay for ever, but for pinned limits and the incarnations of the data.
    pub fn lasting_keys(&self) -> Vec<String> {
        let script = "local lasting = {}
            for _, key in ipairs(redis.call('KEYS', 'gorilla:{*}:*')) do
              local pinned = string.find(key, ':limit$') and string.find(redis.call('GET', key) or '', '^pinned ')
              local stays = pinned or string.find(key, ':incarnation$')
              if redis.call('TTL', key) == -1 and not stays then lasting[#lasting + 1] = key end
            end
            return lasting";
        let nodes: Vec<&Redis> = match &self.servers {
            Servers::Standalone(redis) => vec![redis],
            Servers::Sentinel(sentinel) => sentinel.nodes.iter().collect(),
            Servers::Cluster(cluster) => cluster.nodes.iter().collect(),
        };
        let found = nodes.into_iter().filter(|node| node.is_master()).map(|node| node.cli(&["EVAL", script, "0"]));
        found
            .flat_map(|keys| keys.lines().map(String::from).collect::<Vec<_>>())
            .filter(|key| !key.is_empty())
            .collect()
    }

    fn url(&self, index: usize) -> String {
        match &self.servers {
            Servers::Standalone(_) => self.links[index].url(),
            // The first replica is on the side of the first master, whatever the sentinels say.
            Servers::Sentinel(Sentinel { link: Some(_), nodes, .. }) if index == 0 && nodes[0].is_master() => {
                nodes[0].url()
            }
            Servers::Sentinel(sentinel) => sentinel.url(),
            Servers::Cluster(cluster) => cluster.url_naming(&self.ports()),
        }
    }
}

/// What a run's world knows of its deployment.
pub fn world(deployment: &Deployment, resources: Vec<String>) -> Arc<World> {
    let replicas = deployment.replicas.iter().zip(&deployment.of_0_1);
    let apis = replicas.filter_map(|(replica, of_0_1)| Some((replica.as_ref()?.api.clone(), !of_0_1)));
    Arc::new(World::new(resources, apis.collect()))
}

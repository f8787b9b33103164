//! Redis Cluster: three masters on this machine, and a replica of each if a test wants replicas. A benchmark may also
//! have one master.

use std::{collections::BTreeMap, net::TcpListener};

use crate::{ELECTION, Redis, Security, WallClock, eventually};

/// The servers among which the hash slots are divided.
pub struct Cluster {
    /// All servers, in the order of their start.
    pub nodes: Vec<Redis>,
    security: Option<Security>,
}

impl Cluster {
    /// Three masters.
    pub async fn start() -> Self {
        Self::with(3, 0, None).await
    }

    /// One master or three.
    pub async fn of_masters(count: usize) -> Self {
        Self::with(count, 0, None).await
    }

    /// Three masters and three replicas.
    pub async fn with_replicas() -> Self {
        Self::with(6, 1, None).await
    }

    /// Three masters and three replicas, all of which want a password.
    pub async fn secured(security: &Security) -> Self {
        Self::with(6, 1, Some(security.clone())).await
    }

    /// Three masters, the first of which uses a clock that a test can move.
    pub async fn with_clock(clock: &WallClock) -> Self {
        Self::with_env(3, 0, None, &clock.env()).await
    }

    async fn with(count: usize, replicas: u32, security: Option<Security>) -> Self {
        Self::with_env(count, replicas, security, &[]).await
    }

    /// The environment is that of the first node.
    async fn with_env(
        count: usize,
        replicas: u32,
        security: Option<Security>,
        env_of_first: &[(String, String)],
    ) -> Self {
        let bus_port =
            || TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port").port();
        let node = |index| {
            let timeout = ["--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"];
            Redis::start_with(
                security.clone(),
                &[&["--cluster-enabled", "yes", "--cluster-port", &bus_port().to_string()], &timeout[..]].concat(),
                if index == 0 { env_of_first } else { &[] },
            )
        };
        let nodes: Vec<_> = (0..count).map(node).collect();
        let addresses: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let replicas = replicas.to_string();
        let mut create = vec!["--cluster", "create"];
        create.extend(addresses.iter().map(String::as_str));
        create.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
        // `--cluster create` refuses fewer than three masters.
        let said = match count {
            1 => {
                // A node that has met no other node doesn't know its own address.
                nodes[0].cli(&["CONFIG", "SET", "cluster-announce-ip", "127.0.0.1"]);
                nodes[0].cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
            }
            _ => nodes[0].cli(&create),
        };
        let cluster = Self { nodes, security };
        let agrees = |node: &Redis| {
            node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
                && node.cli(&["CLUSTER", "NODES"]).matches("slave").count() == count.saturating_sub(3)
                && (node.is_master() || node.cli(&["INFO", "replication"]).contains("master_link_status:up"))
        };
        // No node votes for the replica of a master of which the replica knows an earlier epoch.
        let epochs = |node: &Redis| {
            let nodes = node.cli(&["CLUSTER", "NODES"]);
            let field = |line: &str, index| line.split(' ').nth(index).map(String::from);
            nodes.lines().map(|line| (field(line, 0), field(line, 6))).collect::<BTreeMap<_, _>>()
        };
        let all_agree = || {
            let mut known = cluster.nodes.iter().map(epochs);
            let first = known.next();
            cluster.nodes.iter().all(agrees) && known.all(|known| Some(known) == first)
        };
        eventually(&said, ELECTION, || async { all_agree() }).await;
        cluster
    }

    /// The master that has the slot of a key.
    pub fn master_of(&self, key: &str) -> &Redis {
        &self.nodes[self.index_of_master(key, None).expect("a master has the slot")]
    }

    /// The node that says that it is the master of the slot of a key. The node that is left out is not asked.
    pub fn index_of_master(&self, key: &str, left_out: Option<usize>) -> Option<usize> {
        let asked: Vec<_> = (0..self.nodes.len()).filter(|index| Some(*index) != left_out).collect();
        let slot: u32 = self.nodes[asked[0]].cli(&["CLUSTER", "KEYSLOT", key]).parse().ok()?;
        // A line of CLUSTER NODES: id, address, flags, master, ping, pong, epoch, link, then the ranges of slots.
        let owns = |index: &usize| {
            let nodes = self.nodes[*index].cli(&["CLUSTER", "NODES"]);
            let line = nodes.lines().find(|line| line.contains("myself")).unwrap_or_default();
            line.contains("master")
                && line.split(' ').skip(8).any(|range| {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    matches!((first.parse::<u32>(), last.parse::<u32>()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
                })
        };
        asked.into_iter().find(owns)
    }

    /// Gives the slot of a key to another master, as `redis-cli --cluster reshard` does.
    pub fn move_slot(&self, key: &str) {
        let from = self.master_of(key);
        let to = self.nodes.iter().find(|node| node.port != from.port && node.is_master()).expect("another master");
        let id = |node: &Redis| node.cli(&["CLUSTER", "MYID"]);
        let slot = from.cli(&["CLUSTER", "KEYSLOT", key]);
        to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
        from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
        loop {
            let keys = from.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            let keys: Vec<_> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                break;
            }
            let port = to.port.to_string();
            let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "1000", "KEYS"];
            from.cli(&[&migrate[..], &keys].concat());
        }
        for node in [to, from] {
            node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
        }
    }

    /// The URL that names one node, from which a replica learns the other nodes.
    pub fn url(&self) -> String {
        self.url_naming(&[self.nodes[0].port])
    }

    /// The URL that names the nodes at these ports. A replica asks the first one first.
    pub fn url_naming(&self, ports: &[u16]) -> String {
        let start = self.security.as_ref().map(|security| security.url_start("-cluster"));
        let nodes: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        // fred asks the nodes among the parameters before the host. So the first node is the host only if it is alone.
        let (last, others) = nodes.split_last().expect("a port");
        let others: Vec<_> = others.iter().map(|node| format!("node={node}")).collect();
        format!("{}{last}?{}", start.unwrap_or("redis-cluster://".into()), others.join("&"))
            .trim_end_matches('?')
            .to_string()
    }

    /// How many keys each node has.
    pub fn sizes(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.cli(&["DBSIZE"]).parse().expect("a number of keys")).collect()
    }
}

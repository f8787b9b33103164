//! Redis Cluster: three masters on this machine.

use std::{net::TcpListener, time::Duration};

use super::{Redis, eventually};

/// Three servers that share the hash slots among them.
pub struct Cluster {
    pub nodes: Vec<Redis>,
}

impl Cluster {
    pub async fn start() -> Self {
        let bus_port =
            || TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port").port();
        let node = || Redis::start(&["--cluster-enabled", "yes", "--cluster-port", &bus_port().to_string()]);
        let nodes = [node(), node(), node()];
        let addresses: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let create = ["--cluster", "create", &addresses[0], &addresses[1], &addresses[2], "--cluster-yes"];
        let said = nodes[0].cli(&create);
        let cluster = Self { nodes: nodes.into() };
        let agrees = |node: &Redis| node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
        eventually(&said, Duration::from_secs(20), || async { cluster.nodes.iter().all(agrees) }).await;
        cluster
    }

    /// The URL that names one node, of which the others are learnt.
    pub fn url(&self) -> String {
        format!("redis-cluster://127.0.0.1:{}", self.nodes[0].port)
    }

    /// How many keys each node has.
    pub fn sizes(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.cli(&["DBSIZE"]).parse().expect("a number of keys")).collect()
    }
}

//! Redis Sentinel: a master, two replicas and three sentinels on this machine.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{Process, Proxy, Redis, eventually};

/// What the sentinels call the master.
const SERVICE: &str = "gorilla";

/// The servers, and who watches over them.
pub struct Sentinel {
    /// The servers, of which the first was the master at the start.
    pub nodes: Vec<Redis>,
    /// By which all but who knows its own port reach the first one, if they do.
    pub link: Option<Proxy>,
    ports: Vec<u16>,
    _sentinels: Vec<Process>,
    _folder: TempDir,
}

impl Sentinel {
    /// Starts all six and waits until they agree.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// The same, where all but who knows its own port reach the first master by `link`: so it can be cut off, and still
    /// have clients.
    pub async fn start_behind_link() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(behind_link: bool) -> Self {
        let quick = ["--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1"];
        let master = Redis::start(&quick);
        let link = if behind_link { Some(Proxy::to(&master).await) } else { None };
        let port = link.as_ref().map_or(master.port, |link| link.port).to_string();
        if behind_link {
            master.cli(&["CONFIG", "SET", "replica-announce-port", &port]);
        }
        let replica = || Redis::start(&[&quick[..], &["--replicaof", "127.0.0.1", &port]].concat());
        let nodes = vec![replica(), replica()];
        let folder = tempfile::tempdir().expect("a folder for the sentinels");
        let (mut ports, mut sentinels) = (Vec::new(), Vec::new());
        for index in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
            let own = listener.expect("a free port").port();
            let file = folder.path().join(format!("sentinel-{index}.conf"));
            let text = format!(
                "port {own}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor {SERVICE} 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 6000\n",
                folder = folder.path().display(),
            );
            fs::write(&file, text).expect("the file can be written");
            let mut command = Command::new(Redis::program());
            command.arg(&file).arg("--sentinel").stdout(Stdio::null());
            sentinels.push(Process::spawn(&mut command).expect("a sentinel starts"));
            ports.push(own);
        }
        let mut all = vec![master];
        all.extend(nodes);
        let sentinel = Self { nodes: all, link, ports, _sentinels: sentinels, _folder: folder };
        eventually("the replicas follow and the sentinels agree", Duration::from_secs(20), || async {
            let info = sentinel.ask(&["SENTINEL", "MASTER", SERVICE]);
            let facts: Vec<_> = info.lines().collect();
            let fact = |name: &str| facts.iter().position(|line| *line == name).and_then(|at| facts.get(at + 1));
            fact("num-slaves") == Some(&"2")
                && fact("num-other-sentinels") == Some(&"2")
                && sentinel.nodes[0].cli(&["INFO", "replication"]).matches("state=online").count() == 2
        })
        .await;
        sentinel
    }

    /// The URL that names all sentinels.
    pub fn url(&self) -> String {
        let [first, second, third] = self.ports[..] else { panic!("three sentinels") };
        format!(
            "redis-sentinel://127.0.0.1:{first}?sentinelServiceName={SERVICE}&node=127.0.0.1:{second}&node=127.0.0.1:{third}"
        )
    }

    /// The port of the master as a sentinel knows it.
    pub fn master(&self) -> u16 {
        let told = self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]);
        told.lines().nth(1).and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// Has them choose another master at once.
    pub fn fail_over(&self) {
        self.ask(&["SENTINEL", "FAILOVER", SERVICE]);
    }

    /// Waits until a master other than the one at `port` has been promoted; when that was.
    pub async fn promoted(&self, port: u16) -> Instant {
        eventually("another master", Duration::from_secs(30), || async {
            let master = self.master();
            let node = self.nodes.iter().find(|node| node.port == master).filter(|_| master != port);
            node.is_some_and(|node| node.cli(&["ROLE"]).starts_with("master"))
        })
        .await;
        Instant::now()
    }

    fn ask(&self, args: &[&str]) -> String {
        Redis::ask(self.ports[1], args)
    }
}

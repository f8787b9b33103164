//! Redis Sentinel: a master, two replicas and three sentinels on this machine.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{ELECTION, Process, Proxy, Redis, Security, eventually};

/// The name of the master at the sentinels.
const SERVICE: &str = "gorilla";

/// The servers, and the sentinels that watch over them.
pub struct Sentinel {
    /// The servers. The first one was the master at the start.
    pub nodes: Vec<Redis>,
    /// The link by which sentinels, replicas of Redis and Gorilla reach the first server, if there is a link.
    pub link: Option<Proxy>,
    ports: Vec<u16>,
    /// The sentinels, `None` in place of a sentinel that was killed.
    sentinels: Vec<Option<Process>>,
    security: Option<Security>,
    _folder: TempDir,
}

impl Sentinel {
    /// Starts all six and waits until they agree.
    pub async fn start() -> Self {
        Self::start_with(None, false).await
    }

    /// Starts all six. Only clients that know the own port of the first master reach it without `link`: so a test can
    /// cut the master off while it still has clients.
    pub async fn start_behind_link() -> Self {
        Self::start_with(None, true).await
    }

    /// Starts all six. Servers and sentinels want a password.
    pub async fn secured(security: &Security) -> Self {
        Self::start_with(Some(security.clone()), false).await
    }

    async fn start_with(security: Option<Security>, behind_link: bool) -> Self {
        let quick = ["--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1"];
        let node = |args: &[&str]| Redis::start_with(security.clone(), &[&quick[..], args].concat(), &[]);
        let master = node(&[]);
        let link = if behind_link { Some(Proxy::to(&master).await) } else { None };
        let port = link.as_ref().map_or(master.port, |link| link.port).to_string();
        if behind_link {
            master.cli(&["CONFIG", "SET", "replica-announce-port", &port]);
        }
        let replica = || node(&["--replicaof", "127.0.0.1", &port]);
        let nodes = vec![replica(), replica()];
        let folder = tempfile::tempdir().expect("a folder for the sentinels");
        let (mut ports, mut sentinels) = (Vec::new(), Vec::new());
        for index in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
            let own = listener.expect("a free port").port();
            let file = folder.path().join(format!("sentinel-{index}.conf"));
            let settings = security.as_ref().map(|security| security.settings("sentinel.acl", own)).unwrap_or_default();
            let settings = settings.into_iter().map(|(name, value)| format!("{name} {value}\n")).collect::<String>();
            let login = security.as_ref().map(|security| security.sentinel_settings(SERVICE)).unwrap_or_default();
            let text = format!(
                "port {own}\n{settings}bind 127.0.0.1\ndir {folder}\nsentinel monitor {SERVICE} 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 6000\n{login}",
                folder = folder.path().display(),
            );
            fs::write(&file, text).expect("the file can be written");
            let mut command = Command::new(Redis::program());
            command.arg(&file).arg("--sentinel").stdout(Stdio::null());
            sentinels.push(Some(Process::spawn(&mut command).expect("a sentinel starts")));
            ports.push(own);
        }
        let mut all = vec![master];
        all.extend(nodes);
        let sentinel = Self { nodes: all, link, ports, sentinels, security, _folder: folder };
        eventually("the replicas follow and the sentinels agree", ELECTION, || async {
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

    /// The URL that names all sentinels. A replica asks the first sentinel first: fred takes the parameters before the
    /// host.
    pub fn url(&self) -> String {
        let [first, second, third] = self.ports[..] else { panic!("three sentinels") };
        let start = self.security.as_ref().map(|security| security.url_start("-sentinel"));
        let login = self
            .security
            .as_ref()
            .map(|_| format!("&sentinelUsername={}&sentinelPassword={}", Security::USER, Security::escaped_password()));
        format!(
            "{}127.0.0.1:{third}?sentinelServiceName={SERVICE}&node=127.0.0.1:{first}&node=127.0.0.1:{second}{}",
            start.unwrap_or("redis-sentinel://".into()),
            login.unwrap_or_default(),
        )
    }

    /// Kills one of the sentinels.
    pub fn stop_sentinel(&mut self, index: usize) {
        self.sentinels[index] = None;
    }

    /// Pauses one of the sentinels, or ends the pause.
    pub fn signal_sentinel(&self, index: usize, signal: Signal) {
        self.sentinels[index].as_ref().expect("it runs").signal(signal);
    }

    /// Makes one of the sentinels forget the master, so that it knows none, like a new sentinel.
    pub fn forget_master(&self, index: usize) {
        assert_eq!(Redis::ask_with(self.security.as_ref(), self.ports[index], &["SENTINEL", "REMOVE", SERVICE]), "OK");
    }

    /// The port of the master as a sentinel knows it.
    pub fn master(&self) -> u16 {
        let told = self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]);
        told.lines().nth(1).and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// Makes the sentinels choose another master at once.
    pub fn fail_over(&self) {
        self.ask(&["SENTINEL", "FAILOVER", SERVICE]);
    }

    /// Waits until the sentinels have promoted another master than the server at `port`. Returns when that was.
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
        Redis::ask_with(self.security.as_ref(), self.ports[1], args)
    }
}

//! A real redis-server on a port of its own.

use std::{
    net::TcpListener,
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tempfile::TempDir;

use crate::{Security, process::Process};

/// A server with a folder of its own. Its settings beside the defaults are arguments of redis-server.
pub struct Redis {
    /// The port on which the link listens on 127.0.0.1.
    pub port: u16,
    folder: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    security: Option<Security>,
    process: Option<Process>,
}

impl Redis {
    /// The server that is shared by tests that don't disturb it.
    pub fn shared() -> &'static Arc<Redis> {
        static SHARED: OnceLock<Arc<Redis>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Redis::start(&[])))
    }

    /// A server for one test, which may stop, pause and fill the server.
    pub fn start(args: &[&str]) -> Self {
        Self::start_with(None, args, &[])
    }

    /// A server for one test, with environment variables.
    pub fn start_in(args: &[&str], env: &[(String, String)]) -> Self {
        Self::start_with(None, args, env)
    }

    /// A server for one test, which only users with a password may use.
    pub fn secured(security: &Security, args: &[&str]) -> Self {
        Self::start_with(Some(security.clone()), args, &[])
    }

    pub(crate) fn start_with(security: Option<Security>, args: &[&str], env: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for Redis");
        let args = args.iter().map(ToString::to_string).collect();
        let mut redis = Self { port: 0, folder, args, env: env.to_vec(), security, process: None };
        // The port is free when it is chosen. Rarely another process takes the port before Redis does.
        for _ in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            redis.port = listener.local_addr().expect("a bound listener has an address").port();
            drop(listener);
            if redis.try_run(&[]) {
                return redis;
            }
        }
        panic!("redis-server ends at once, whatever its port");
    }

    /// A server that follows a master, by a link at that port of 127.0.0.1, and has all data of the master.
    pub async fn following(master: &Redis, port: u16) -> Self {
        // Otherwise the master waits some seconds for more replicas before it begins to synchronise.
        master.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
        let redis = Self::start(&["--replicaof", "127.0.0.1", &port.to_string(), "--appendonly", "no"]);
        crate::eventually("it follows", crate::ELECTION, || async {
            redis.cli(&["INFO", "replication"]).contains("master_link_status:up")
                && master.cli(&["INFO", "replication"]).contains("state=online")
        })
        .await;
        redis
    }

    /// Starts the server again after `stop`, with the data that it wrote.
    pub fn run(&mut self) {
        self.run_with(&[]);
    }

    /// Starts the server again after `stop`, with more settings.
    pub fn run_with(&mut self, args: &[&str]) {
        assert!(self.try_run(args), "redis-server starts on port {} once more", self.port);
    }

    /// Starts the server and waits until it listens. Returns whether it does.
    fn try_run(&mut self, args: &[&str]) -> bool {
        // Redis opens its socket after its port. Another program might listen on the port, but not on the socket.
        let socket = self.folder.path().join("redis.sock");
        // So that a write beyond the limit on the size of files, which `limit_files` sets, is an error and not a
        // signal.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", Self::program()])
            .envs(self.env.iter().cloned())
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--maxmemory-policy", "noeviction", "--enable-debug-command", "yes"])
            .args(self.security_args())
            .args(&self.args)
            .args(args)
            .arg("--dir")
            .arg(self.folder.path())
            .arg("--unixsocket")
            .arg(&socket)
            .stdout(Stdio::null());
        let mut process = Process::spawn(&mut command).expect("redis-server can be executed");
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            if process.child.try_wait().expect("a child can be waited for").is_some() {
                return false;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "redis-server listens");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.process = Some(process);
        true
    }

    fn security_args(&self) -> Vec<String> {
        let Some(security) = &self.security else { return vec![] };
        let clustered = self.args.iter().any(|arg| arg == "--cluster-enabled");
        let settings = [security.settings("server.acl", self.port), security.server_settings(clustered)].concat();
        settings.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]).collect()
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").child.id()
    }

    /// Kills the server.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Pauses the server, whose connections stay open.
    pub fn pause(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::STOP);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// Lets no file of the server grow beyond so many bytes, as a full disk does; or lifts the limit again.
    pub fn limit_files(&self, most: Option<u64>) {
        let pid = Pid::from_raw(self.process.as_ref().expect("it runs").child.id() as i32);
        let limit = Rlimit { current: most, maximum: None };
        prlimit(pid, Resource::Fsize, limit).expect("the limits of a child can be set");
    }

    /// Whether the server says that it is a master.
    pub fn is_master(&self) -> bool {
        self.cli(&["ROLE"]).starts_with("master")
    }

    /// The folder with the files of the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        let start = self.security.as_ref().map_or("redis://".into(), |security| security.url_start(""));
        format!("{start}127.0.0.1:{}", self.port)
    }

    /// The program of the server.
    pub fn program() -> &'static str {
        ["redis-server", "valkey-server"]
            .into_iter()
            .find(|program| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok())
            .expect("redis-server or valkey-server is in PATH: run make deps")
    }

    /// What redis-cli prints for a command, as a user would look.
    pub fn cli(&self, args: &[&str]) -> String {
        Self::ask_with(self.security.as_ref(), self.port, args)
    }

    /// What redis-cli prints for a command to a server or a sentinel at a port.
    pub fn ask(port: u16, args: &[&str]) -> String {
        Self::ask_with(None, port, args)
    }

    pub(crate) fn ask_with(security: Option<&Security>, port: u16, args: &[&str]) -> String {
        let login = security.map(Security::cli).unwrap_or_default();
        let cli = ["redis-cli", "valkey-cli"]
            .into_iter()
            .find_map(|cli| Command::new(cli).args(["-p", &port.to_string()]).args(&login).args(args).output().ok())
            .expect("redis-cli or valkey-cli is in PATH: run make deps");
        String::from_utf8_lossy(&cli.stdout).trim_end().to_string()
    }
}

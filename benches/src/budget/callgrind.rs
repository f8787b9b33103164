//! Runs a server under callgrind, which counts its instructions.

use std::{fs, net::TcpStream, process::Command, thread, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use gorilla_harness::{Process, Redis};
use tempfile::TempDir;

use crate::servers::{free_port, started};

/// A server under callgrind.
pub struct Counted {
    /// The port on which the server listens on 127.0.0.1.
    pub port: u16,
    process: Process,
    folder: TempDir,
}

impl Counted {
    /// `gorilla serve` with its defaults, in front of a Redis whose instructions are not counted.
    pub fn replica(program: &str, redis: &Redis) -> Result<Self> {
        Self::replica_with(program, redis, &[])
    }

    /// The same with other settings, which are variables of its environment.
    pub fn replica_with(program: &str, redis: &Redis, settings: &[(&str, String)]) -> Result<Self> {
        let command = |port| format!("{program} serve --listen 127.0.0.1:{port} --redis-url {}", redis.url());
        Self::start(|port, _| command(port), settings)
    }

    /// Redis, with or without an append-only file, which it writes to disk before it replies, as Gorilla wants it. Redis
    /// runs its own tasks once a second instead of ten times: on a busy machine there would be more of them for each
    /// request.
    pub fn redis(has_aof: bool) -> Result<Self> {
        let program = Redis::program();
        let aof = if has_aof { "--appendonly yes --appendfsync always" } else { "--appendonly no" };
        Self::start(|port, folder| format!("{program} --port {port} --bind 127.0.0.1 {aof} --hz 1 --dir {folder}"), &[])
    }

    /// Starts a server, and waits until it listens. `command` gets the port and a folder.
    fn start(command: impl Fn(u16, &str) -> String, settings: &[(&str, String)]) -> Result<Self> {
        let (port, folder) = (free_port(), tempfile::tempdir()?);
        let path = folder.path().display();
        let mut valgrind = Command::new("valgrind");
        valgrind
            // Only the sum matters, so callgrind writes nothing else.
            .args(["--quiet", "--tool=callgrind", "--dump-line=no", &format!("--callgrind-out-file={path}/counts")])
            // A killed Valgrind leaves its pipes behind. They are removed with the folder.
            .arg(format!("--vgdb-prefix={path}/vgdb"))
            .args(command(port, &path.to_string()).split(' '))
            .envs(settings.iter().map(|(name, value)| (name, value)))
            // Otherwise glibc copies more than 2 KiB with one instruction that repeats itself, and callgrind counts it
            // once a byte.
            .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS");
        let process = started(&mut valgrind, || Ok(TcpStream::connect(("127.0.0.1", port)).map(drop)?))?;
        Ok(Self { port, process, folder })
    }

    /// Begins to count from 0.
    pub fn forget(&self) -> Result<()> {
        self.tell("zero")
    }

    /// The instructions of all threads since `forget` or the last call.
    pub fn counted(&self) -> Result<f64> {
        self.tell("dump")?;
        let parts = (1..).map(|part| self.folder.path().join(format!("counts.{part}")));
        let newest = parts.take_while(|path| path.exists()).last().context("callgrind has written no counts")?;
        let text = fs::read_to_string(newest)?;
        let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
        total.context("callgrind's counts have no total")
    }

    /// Waits until the server has done what it can do: until none of its threads has run for two milliseconds.
    pub fn rest(&self) -> Result<()> {
        let begun = Instant::now();
        let mut before = self.ran()?;
        loop {
            thread::sleep(Duration::from_millis(2));
            let now = self.ran()?;
            if now == before {
                return Ok(());
            }
            ensure!(begun.elapsed() < Duration::from_secs(30), "the server does not come to rest");
            before = now;
        }
    }

    /// For how many nanoseconds the threads of the server have run.
    fn ran(&self) -> Result<u64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.child.id()))?;
        // A thread may have ended since.
        let seen = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok());
        Ok(seen.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum())
    }

    fn tell(&self, what: &str) -> Result<()> {
        let mut vgdb = Command::new("vgdb");
        vgdb.arg(format!("--vgdb-prefix={}/vgdb", self.folder.path().display()));
        let told = vgdb.arg(format!("--pid={}", self.process.child.id())).arg(what).output()?;
        ensure!(told.status.success(), "callgrind does not take the command {what}");
        Ok(())
    }
}

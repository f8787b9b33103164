//! Runs a server under callgrind, which counts its instructions.

use std::{fs, net::TcpStream, process::Command};

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
        Self::start(|port, _| format!("{program} serve --listen 127.0.0.1:{port} --redis-url {}", redis.url()))
    }

    /// Redis, which writes its append-only file to disk before it replies, as Gorilla wants it. Redis runs its own
    /// tasks once a second instead of ten times: on a busy machine there would be more of them for each request.
    pub fn redis() -> Result<Self> {
        let program = Redis::program();
        Self::start(|port, folder| {
            format!(
                "{program} --port {port} --bind 127.0.0.1 --appendonly yes --appendfsync always --hz 1 --dir {folder}"
            )
        })
    }

    /// Starts a server, and waits until it listens. `command` gets the port and a folder.
    fn start(command: impl Fn(u16, &str) -> String) -> Result<Self> {
        let (port, folder) = (free_port(), tempfile::tempdir()?);
        let path = folder.path().display();
        let mut valgrind = Command::new("valgrind");
        valgrind
            // Only the sum matters, so callgrind writes nothing else.
            .args(["--quiet", "--tool=callgrind", "--dump-line=no", &format!("--callgrind-out-file={path}/counts")])
            // A killed Valgrind leaves its pipes behind. They are removed with the folder.
            .arg(format!("--vgdb-prefix={path}/vgdb"))
            .args(command(port, &path.to_string()).split(' '))
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

    fn tell(&self, what: &str) -> Result<()> {
        let mut vgdb = Command::new("vgdb");
        vgdb.arg(format!("--vgdb-prefix={}/vgdb", self.folder.path().display()));
        let told = vgdb.arg(format!("--pid={}", self.process.child.id())).arg(what).output()?;
        ensure!(told.status.success(), "callgrind does not take the command {what}");
        Ok(())
    }
}

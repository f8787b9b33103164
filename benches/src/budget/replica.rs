//! A replica whose instructions are counted.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use gorilla_harness::Process;
use tempfile::TempDir;

use super::wire::Connection;

/// Under Valgrind a start takes seconds, on a busy machine many.
const PATIENCE: Duration = Duration::from_secs(120);

/// `gorilla serve` with its defaults, under callgrind.
pub struct Replica {
    /// `host:port`.
    pub address: String,
    process: Process,
    folder: TempDir,
}

impl Replica {
    /// Starts it, and waits until it is ready.
    pub fn start(program: &Path, redis_url: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind"])
            // No figure is wanted but the sum, so nothing else is written.
            .args(["--dump-line=no", &flag("--callgrind-out-file", folder.path(), "counts")])
            // A killed Valgrind leaves its pipes behind: they go with the folder.
            .arg(flag("--vgdb-prefix", folder.path(), "vgdb"))
            .arg(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--redis-url", redis_url])
            // Else glibc copies more than 2 KiB by one instruction that repeats itself, which is counted once a byte.
            .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS")
            // To a file, as a service's goes to a pipe: neither is a terminal, so it is JSON.
            .stderr(File::create(&log)?);
        let mut process = Process::spawn(&mut command)?;
        let begun = Instant::now();
        let address = loop {
            let said = fs::read_to_string(&log)?;
            if let Some(address) = said.split("\"address\":\"").nth(1).and_then(|rest| rest.split('"').next()) {
                break address.to_string();
            }
            if process.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("the replica doesn't serve; it says {said:?}")));
            }
            thread::sleep(Duration::from_millis(20));
        };
        // It accepts once it has tried to reach Redis.
        let mut connection = Connection::open(&address)?;
        connection.send("GET", "/_ready", "", None)?;
        let answer = connection.answer()?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("the replica is not ready: {answer:?}")));
        }
        Ok(Self { address, process, folder })
    }

    /// Begins to count from 0.
    pub fn forget(&self) -> io::Result<()> {
        self.tell("zero")
    }

    /// The instructions of all its threads since `forget`, or since this was asked last.
    pub fn counted(&self) -> io::Result<u64> {
        self.tell("dump")?;
        let newest =
            (1..).map(|part| self.folder.path().join(format!("counts.{part}"))).take_while(|path| path.exists());
        let Some(newest) = newest.last() else { return Err(io::Error::other("callgrind has written no counts")) };
        let text = fs::read_to_string(newest)?;
        let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
        total
            .and_then(|total| total.trim().parse().ok())
            .ok_or_else(|| io::Error::other("callgrind's counts have no total"))
    }

    /// Says something to callgrind.
    fn tell(&self, what: &str) -> io::Result<()> {
        let output = Command::new("vgdb")
            .arg(flag("--vgdb-prefix", self.folder.path(), "vgdb"))
            .arg(format!("--pid={}", self.process.child.id()))
            .arg(what)
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("callgrind can't be told to {what}: {}", why.trim())))
    }
}

fn flag(name: &str, folder: &Path, file: &str) -> String {
    format!("{name}={}", folder.join(file).display())
}

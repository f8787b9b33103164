//! Runs a server under callgrind, which counts its instructions.

use std::{collections::HashMap, fs, net::TcpStream, process::Command, thread, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use gorilla_harness::{Process, Redis};
use tempfile::TempDir;

use crate::{
    machine,
    servers::{free_port, started},
};

/// A server under callgrind.
pub struct Counted {
    /// The port on which the server listens on 127.0.0.1.
    pub port: u16,
    process: Process,
    folder: TempDir,
}

/// What the threads of a server have spent.
#[derive(Clone, Copy, Default)]
pub struct ByThread {
    /// The first thread, which serves the requests of a replica.
    pub first: Instructions,
    /// All others, such as that of the audit file.
    pub others: Instructions,
}

/// Instructions of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Instructions {
    pub all: f64,
    /// Those of them that compute SHA-256. Processors have instructions for it, which Valgrind does not show to programs, so
    /// they compute it in some twenty times as many instructions.
    pub sha256: f64,
}

impl Instructions {
    /// What callgrind has written of a thread.
    fn of(text: &str) -> Result<Self> {
        let (mut sums, mut names, mut is_sha256, mut lines) = (Self::default(), HashMap::new(), false, text.lines());
        while let Some(line) = lines.next() {
            if let Some(function) = line.strip_prefix("fn=") {
                // A name comes once, and later its number stands for it.
                let (number, name) = function.split_once(' ').unwrap_or((function, ""));
                let seen = names.entry(number).or_insert(name.contains("sha2::"));
                is_sha256 = *seen;
            } else if let Some(called) = line.strip_prefix("cfn=") {
                let (number, name) = called.split_once(' ').unwrap_or((called, ""));
                names.entry(number).or_insert(name.contains("sha2::"));
            } else if line.starts_with("calls=") {
                // What the callee has spent.
                lines.next();
            } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
                let spent: f64 =
                    line.split(' ').nth(1).unwrap_or_default().parse().context("a line without a count")?;
                sums.all += spent;
                sums.sha256 += if is_sha256 { spent } else { 0.0 };
            }
        }
        Ok(sums)
    }
}

impl Counted {
    /// `gorilla serve` with its defaults, in front of a Redis whose instructions are not counted.
    pub fn replica(program: &str, redis: &Redis) -> Result<Self> {
        let command = |port| format!("{program} serve --listen 127.0.0.1:{port} --redis-url {}", redis.url());
        Self::start(|port, _| command(port), &[], &[])
    }

    /// The same with other settings, which are variables of its environment, and each thread counted alone.
    pub fn replica_with(program: &str, redis: &Redis, settings: &[(&str, String)]) -> Result<Self> {
        let command = |port| format!("{program} serve --listen 127.0.0.1:{port} --redis-url {}", redis.url());
        Self::start(|port, _| command(port), settings, &["--separate-threads=yes"])
    }

    /// Redis, with or without an append-only file, which it writes to disk before it replies, as Gorilla wants it. Redis
    /// runs its own tasks once a second instead of ten times: on a busy machine there would be more of them for each
    /// request.
    pub fn redis(has_aof: bool) -> Result<Self> {
        let program = Redis::program();
        let aof = if has_aof { "--appendonly yes --appendfsync always" } else { "--appendonly no" };
        Self::start(
            |port, folder| format!("{program} --port {port} --bind 127.0.0.1 {aof} --hz 1 --dir {folder}"),
            &[],
            &[],
        )
    }

    /// Starts a server, and waits until it listens. `command` gets the port and a folder.
    fn start(command: impl Fn(u16, &str) -> String, settings: &[(&str, String)], options: &[&str]) -> Result<Self> {
        let (port, folder) = (free_port(), tempfile::tempdir()?);
        let path = folder.path().display();
        let mut valgrind = Command::new("valgrind");
        valgrind
            // Only the sum matters, so callgrind writes nothing else.
            .args(["--quiet", "--tool=callgrind", "--dump-line=no", &format!("--callgrind-out-file={path}/counts")])
            // A killed Valgrind leaves its pipes behind. They are removed with the folder.
            .arg(format!("--vgdb-prefix={path}/vgdb"))
            .args(options)
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

    /// The same, if each thread is counted alone.
    pub fn counted_by_thread(&self) -> Result<ByThread> {
        self.tell("dump")?;
        let of_part = |part: usize| self.folder.path().join(format!("counts.{part}-01"));
        let newest = (1..).take_while(|&part| of_part(part).exists()).last();
        let newest = format!("counts.{}-", newest.context("callgrind has written no counts")?);
        let mut counts = ByThread::default();
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(thread) = name.strip_prefix(&newest) else { continue };
            let counted = Instructions::of(&fs::read_to_string(file.path())?)?;
            let sum = if thread == "01" { &mut counts.first } else { &mut counts.others };
            *sum = Instructions { all: sum.all + counted.all, sha256: sum.sha256 + counted.sha256 };
        }
        Ok(counts)
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
        let [_, all] = machine::ran(self.process.child.id())?;
        Ok(all)
    }

    fn tell(&self, what: &str) -> Result<()> {
        let mut vgdb = Command::new("vgdb");
        vgdb.arg(format!("--vgdb-prefix={}/vgdb", self.folder.path().display()));
        let told = vgdb.arg(format!("--pid={}", self.process.child.id())).arg(what).output()?;
        ensure!(told.status.success(), "callgrind does not take the command {what}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_functions_have_spent_themselves_counts_and_what_they_called_does_not_count_twice() {
        let text = "version: 1\nevents: Ir\nsummary: 100\n\nfl=(1) a.rs\nfn=(1) main\n0 10\ncfn=(2) sha2::sha256::soft::compress\n\
                    calls=3 0\n0 60\n\nfn=(2)\n0 50\ncfn=(3) copy\ncalls=1 0\n0 10\n\nfn=(3)\n0 10\n\ntotals: 70\n";
        assert_eq!(Instructions::of(text).expect("counts"), Instructions { all: 70.0, sha256: 50.0 });
    }
}

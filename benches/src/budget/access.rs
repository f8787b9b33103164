//! What API keys, quotas and the audit file cost: the same requests to replicas that differ in these alone.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use gorilla_harness::{AccessFile, Key, Process, Redis, key_entry, role};
use itertools::Itertools;
use tempfile::TempDir;

use super::{
    callgrind::{ByThread, Counted},
    kinds::{Client, Kind, OF_REPLICA},
    measure::measure_by,
};
use crate::{
    load::block_on,
    machine,
    results::Spread,
    servers::{free_port, started},
};

/// What a replica demands and keeps, and what its clients send.
struct Setup {
    name: &'static str,
    /// Whether clients send an API key.
    sends_key: bool,
    /// The quotas of the role of the caller, if the replica demands API keys.
    quotas: Option<&'static str>,
    has_audit: bool,
}

/// Quotas that are never reached.
const QUOTAS: &str = "quota = { max_held = 10000000, max_waiters = 100000, per_second = 10000000, burst = 10000000 }\n";

/// All set-ups; the others are compared with the first.
const SETUPS: [Setup; 6] = [
    Setup { name: "nothing", sends_key: false, quotas: None, has_audit: false },
    Setup { name: "a header that nobody reads", sends_key: true, quotas: None, has_audit: false },
    Setup { name: "keys", sends_key: true, quotas: Some(""), has_audit: false },
    Setup { name: "keys and quotas", sends_key: true, quotas: Some(QUOTAS), has_audit: false },
    Setup { name: "the audit file", sends_key: false, quotas: None, has_audit: true },
    Setup { name: "all", sends_key: true, quotas: Some(QUOTAS), has_audit: true },
];

/// The kinds of requests that are counted.
const KINDS: [&str; 4] = ["acquire", "release", "acquire_of_64_clients", "release_of_64_clients"];
/// In processor time: so many acquires of 64 clients at once, and as many releases, are a turn.
const STEPS: usize = 60;

/// A set-up with what it needs, which ends with it.
struct Prepared {
    redis: Redis,
    key: Option<Key>,
    settings: Vec<(&'static str, String)>,
    _file: AccessFile,
    _folder: TempDir,
}

impl Setup {
    fn prepare(&self) -> Result<Prepared> {
        let (redis, key, folder) = (Redis::start(&[]), Key::new("bench"), tempfile::tempdir()?);
        let may = r#"{prefix="", verbs=["acquire","wait","extend","release","inspect"]}"#;
        let entry = key_entry("bench", "worker", &key, "");
        let file = AccessFile::new(&(role("worker", may) + self.quotas.unwrap_or("") + &entry));
        let mut settings = vec![];
        if self.quotas.is_some() {
            settings.push(("GORILLA__AUTH__FILE", file.path().display().to_string()));
        }
        if self.has_audit {
            settings.push(("GORILLA__AUDIT__FILE", folder.path().join("audit").display().to_string()));
        }
        let key = self.sends_key.then_some(key);
        Ok(Prepared { redis, key, settings, _file: file, _folder: folder })
    }
}

impl Prepared {
    fn client(&self, port: u16) -> Result<Client> {
        let client = Client::of(port, self.redis.port)?;
        Ok(match &self.key {
            Some(key) => client.with_key(key),
            None => client,
        })
    }
}

fn kinds(names: &[&str]) -> Vec<Kind> {
    OF_REPLICA.into_iter().filter(|kind| names.contains(&kind.0)).collect()
}

/// Prints the instructions of a replica for a request in each set-up: of the thread that serves requests, and how many times
/// those of the first set-up they are; of the other threads; and how many of all are SHA-256.
pub fn in_instructions(program: &Path) -> Result<()> {
    let mut first: Option<Vec<f64>> = None;
    for setup in &SETUPS {
        let prepared = setup.prepare()?;
        let replica = Counted::replica_with(&program.to_string_lossy(), &prepared.redis, &prepared.settings)?;
        let mut client = prepared.client(replica.port)?;
        let measured = measure_by(&replica, &mut client, &kinds(&KINDS), || replica.counted_by_thread())?;
        let own: Vec<_> = measured.iter().map(|(_, counted, requests)| counted.first.all / requests).collect();
        let base = first.get_or_insert_with(|| own.clone());
        println!("{}", setup.name);
        for (((kind, counted, requests), own), base) in measured.iter().zip(&own).zip(base) {
            let ByThread { first, others } = counted;
            let (others_all, sha256) = (others.all / requests, (first.sha256 + others.sha256) / requests);
            let times = own / *base;
            println!("  {kind:<22} {own:>7.0} ({times:.3})  other threads {others_all:>7.0}  SHA-256 {sha256:>7.0}");
        }
    }
    Ok(())
}

/// A replica that is asked in turns.
struct Turns {
    client: Client,
    process: Process,
    /// Microseconds of processor time for a request: of the thread that serves requests, and of all threads.
    seen: Vec<[f64; 2]>,
    step: usize,
    _prepared: Prepared,
}

impl Turns {
    fn of(setup: &Setup, program: &Path) -> Result<Self> {
        let (prepared, port) = (setup.prepare()?, free_port());
        let mut command = Command::new(program);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--redis-url", &prepared.redis.url()]);
        command.envs(prepared.settings.iter().map(|(name, value)| (name, value)));
        let connect = || Ok(std::net::TcpStream::connect(("127.0.0.1", port)).map(drop)?);
        let process = started(&mut command, connect)?;
        Ok(Self { client: prepared.client(port)?, process, seen: vec![], step: 0, _prepared: prepared })
    }

    fn take(&mut self, kinds: &[Kind]) -> Result<()> {
        let before = machine::ran(self.process.child.id())?;
        let (steps, mut requests) = (self.step..self.step + STEPS, 0);
        block_on(async {
            for step in steps {
                for kind in kinds {
                    self.client.step(kind, step, &|| Ok(())).await.with_context(|| format!("{} {step}", kind.0))?;
                    requests += kind.1;
                }
            }
            Ok::<_, anyhow::Error>(())
        })?;
        // The last batch of records.
        std::thread::sleep(std::time::Duration::from_millis(5));
        let after = machine::ran(self.process.child.id())?;
        self.step += STEPS;
        self.seen.push([0, 1].map(|of| (after[of] - before[of]) as f64 / 1000.0 / requests as f64));
        Ok(())
    }

    /// How many times the processor time of another in the same round its own is, in the median and at both ends.
    fn times(&self, other: &Self, of: usize) -> Result<Spread> {
        let ratios = self.seen.iter().zip(&other.seen).map(|(own, other)| own[of] / other[of]);
        Spread::of(ratios).context("there was no round")
    }
}

/// Prints the processor time of a replica for a request of 64 clients, half of them acquires and half releases, in each
/// set-up. The set-ups take turns, so that what else the machine does meets all of them.
pub fn in_time(program: &Path, rounds: usize) -> Result<()> {
    ensure!(rounds > 0, "there must be a round");
    let mut replicas: Vec<_> = SETUPS.iter().map(|setup| Turns::of(setup, program)).try_collect()?;
    let kinds = kinds(&["acquire_of_64_clients", "release_of_64_clients"]);
    // The first round warms up.
    for round in 0..=rounds {
        for replica in &mut replicas {
            replica.take(&kinds)?;
            if round == 0 {
                replica.seen.clear();
            }
        }
    }
    for (setup, replica) in SETUPS.iter().zip(&replicas) {
        println!("{}", setup.name);
        for (of, what) in ["the thread of requests", "all threads"].into_iter().enumerate() {
            let microseconds = Spread::of(replica.seen.iter().map(|seen| seen[of])).context("there was no round")?;
            let Spread { min, median, max, .. } = replica.times(&replicas[0], of)?;
            println!("  {what:<22} {:>6.2} us, times {median:.3} ({min:.3} to {max:.3})", microseconds.median);
        }
    }
    Ok(())
}

//! What API keys, quotas and the audit file cost: the same requests to replicas that differ in these alone.

use std::{fmt::Write, path::Path};

use anyhow::Result;
use gorilla_harness::{AccessFile, Key, Redis, key_entry, role};

use super::{
    callgrind::Counted,
    kinds::{Client, OF_REPLICA},
    measure::measure,
};

/// A replica: its name, the quotas of the role of the caller if API keys are demanded, and whether there is an audit file.
struct Setup(&'static str, Option<&'static str>, bool);

/// Quotas that are never reached.
const QUOTAS: &str = "quota = { max_held = 100000, max_waiters = 100000, per_second = 100000, burst = 100000 }\n";

const SETUPS: [Setup; 5] = [
    Setup("nothing", None, false),
    Setup("keys", Some(""), false),
    Setup("keys and quotas", Some(QUOTAS), false),
    Setup("the audit file", None, true),
    Setup("all", Some(QUOTAS), true),
];

/// The kinds of requests that are measured.
const KINDS: [&str; 4] = ["acquire", "release", "acquire_of_64_clients", "release_of_64_clients"];

/// Prints the instructions of a replica for a request in each setup, and how many times those of the first setup they are.
pub fn run(program: &Path) -> Result<()> {
    let first = of(program, &SETUPS[0])?;
    for setup in &SETUPS {
        let (measured, mut line) = (of(program, setup)?, format!("{:<16}", setup.0));
        for ((kind, count), (_, base)) in measured.iter().zip(&first) {
            write!(line, "  {kind} {count:.0} ({:.3})", count / base)?;
        }
        println!("{line}");
    }
    Ok(())
}

fn of(program: &Path, &Setup(_, quotas, has_audit): &Setup) -> Result<Vec<(&'static str, f64)>> {
    let (redis, key, folder) = (Redis::start(&[]), Key::new("bench"), tempfile::tempdir()?);
    let may = r#"{prefix="", verbs=["acquire","wait","extend","release","inspect"]}"#;
    let file = AccessFile::new(&(role("worker", may) + quotas.unwrap_or("") + &key_entry("bench", "worker", &key, "")));
    let mut settings = vec![];
    if quotas.is_some() {
        settings.push(("GORILLA__AUTH__FILE", file.path().display().to_string()));
    }
    if has_audit {
        settings.push(("GORILLA__AUDIT__FILE", folder.path().join("audit").display().to_string()));
    }
    let replica = Counted::replica_with(&program.to_string_lossy(), &redis, &settings)?;
    let mut client = Client::of(replica.port, redis.port)?;
    if quotas.is_some() {
        client = client.with_key(&key);
    }
    let kinds: Vec<_> = OF_REPLICA.into_iter().filter(|kind| KINDS.contains(&kind.0)).collect();
    measure(&replica, &mut client, &kinds)
}

//! The audit file: what it records, that nobody can change it unseen, and what happens while it can't be written.

mod events;
mod failures;
mod restarts;
mod rotation;
mod secrets;
mod verify;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Redis, Replica, eventually};

/// Longer than a replica takes to write a record, to gather refusals and to look at the path of its file.
const PATIENCE: Duration = Duration::from_secs(15);

/// A folder with the audit file of a replica, and with what rotation makes of it.
struct Trail {
    folder: TempDir,
}

impl Trail {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// A file of the folder.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("audit.log")
    }

    /// A ready replica on the shared Redis that writes the file.
    async fn replica(&self, settings: &[(&str, &str)]) -> Replica {
        self.replica_on(Redis::shared(), settings).await
    }

    async fn replica_on(&self, redis: &Redis, settings: &[(&str, &str)]) -> Replica {
        let file = self.file();
        let mut all = vec![("GORILLA__AUDIT__FILE", file.to_str().expect("a path of UTF-8"))];
        all.extend_from_slice(settings);
        Replica::with(&redis.url(), &all).await
    }

    /// The records of the file.
    fn records(&self) -> Vec<Value> {
        records(&self.file())
    }

    /// The records of an event, as soon as there are so many.
    async fn wait_for(&self, event: &str, count: usize) -> Vec<Value> {
        let of = || self.records().into_iter().filter(|record| record["event"] == event).collect::<Vec<_>>();
        eventually(&format!("{count} records of {event}"), PATIENCE, || async { of().len() >= count }).await;
        assert_eq!(of().len(), count, "{:?}", of());
        of()
    }

    /// Waits for a record with this outcome.
    async fn wait_for_outcome(&self, outcome: &str) -> Value {
        let of = || self.records().into_iter().find(|record| record["outcome"] == outcome);
        eventually(&format!("a record with the outcome {outcome}"), PATIENCE, || async { of().is_some() }).await;
        of().expect("it is there")
    }
}

/// The records of a file that may be written just now.
fn records(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// What `gorilla audit verify` says of files: its exit code, its output and its errors.
fn verify(files: &[PathBuf]) -> (Option<i32>, String, String) {
    let command = Command::new(Replica::program()).args(["audit", "verify"]).args(files).output();
    let Output { status, stdout, stderr } = command.expect("gorilla runs");
    let [out, err] = [stdout, stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    (status.code(), out, err)
}

/// Fails unless the chain in these files is whole, and returns the number of its records.
#[track_caller]
fn verified(files: &[PathBuf]) -> u64 {
    let (code, out, err) = verify(files);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains(", 1 chain\n"), "{out}");
    out.split(' ').next().and_then(|count| count.parse().ok()).expect("a count")
}

//! The file is rotated while a replica writes, by the real logrotate and by hand.

use std::{
    env, fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{PATIENCE, Trail, records, verified, verify};
use crate::harness::{Replica, Signal, eventually, name, token};

/// Runs logrotate once. `how` is what the rule says beside the path and the number of old files.
fn logrotate(trail: &Trail, how: &str) {
    let (rule, state) = (trail.path("rule"), trail.path("state"));
    let text = format!("{} {{\n    rotate 9\n    size 1\n    {how}\n}}\n", trail.file().display());
    fs::write(&rule, text).expect("a rule");
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut command = Command::new("logrotate");
    command.env("PATH", path).args(["--force", "--state"]).arg(state).arg(rule);
    let output = command.output().expect("logrotate can be executed: run make test once");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Takes and frees locks until it is told to stop. Returns how many.
async fn work(replica: &Replica, stop: Arc<AtomicBool>) -> usize {
    let mut count = 0;
    while !stop.load(Relaxed) {
        let resource = name("rotated");
        let lock = replica.api.granted(&resource, "me", 30).await;
        assert_eq!(replica.api.release(&resource, token(&lock)).await.status, 204);
        count += 1;
    }
    count
}

/// The number of grants and releases in files.
fn changes(files: &[PathBuf]) -> usize {
    let is_change = |event: &str| ["grant", "release"].contains(&event);
    let all = files.iter().flat_map(|file| records(file));
    all.filter(|record| record["event"].as_str().is_some_and(is_change)).count()
}

#[tokio::test]
async fn logrotate_that_creates_a_file_loses_nothing() {
    let trail = Trail::new();
    let replica = trail.replica(&[]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let rotate = async {
        for round in 1..=3 {
            logrotate(&trail, "create 0600");
            eventually("the new file is written", PATIENCE, || async {
                records(&trail.file()).first().is_some_and(|record| record["outcome"] == "reopened")
            })
            .await;
            assert!(trail.path(&format!("audit.log.{round}")).exists());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stop.store(true, Relaxed);
    };
    let (count, ()) = tokio::join!(work(&replica, Arc::clone(&stop)), rotate);
    let files = ["audit.log.3", "audit.log.2", "audit.log.1", "audit.log"].map(|name| trail.path(name));
    eventually("all is written", PATIENCE, || async { changes(&files) == 2 * count }).await;
    verified(&files);
}

#[tokio::test]
async fn logrotate_that_copies_and_truncates_breaks_no_line_and_what_is_lost_is_found() {
    let trail = Trail::new();
    let replica = trail.replica(&[]).await;
    // Nobody writes between copy and truncation: nothing is lost.
    replica.api.granted(&name("copied"), "me", 30).await;
    trail.wait_for("grant", 1).await;
    logrotate(&trail, "copytruncate");
    trail.wait_for_outcome("truncated").await;
    replica.api.granted(&name("copied"), "me", 30).await;
    trail.wait_for("grant", 1).await;
    let files = ["audit.log.1", "audit.log"].map(|name| trail.path(name));
    assert_eq!(verified(&files), 4);
    // A record that is lost between them: it is in neither file.
    fs::copy(trail.file(), trail.path("audit.log.1")).expect("a copy");
    replica.api.granted(&name("lost"), "me", 30).await;
    trail.wait_for("grant", 2).await;
    fs::OpenOptions::new().write(true).truncate(true).open(trail.file()).expect("the file");
    trail.wait_for_outcome("truncated").await;
    let (code, _, err) = verify(&files);
    assert!(code == Some(1) && err.contains("audit.log:1: seq is ") && err.contains("lines are missing"), "{err}");
}

#[tokio::test]
async fn a_file_that_was_moved_or_deleted_is_made_anew_and_releases_go_on() {
    let trail = Trail::new();
    let replica = trail.replica(&[("GORILLA__AUDIT__ON_FAILURE", "refuse")]).await;
    let resource = name("deleted");
    let lock = replica.api.granted(&resource, "me", 30).await;
    trail.wait_for("grant", 1).await;
    fs::rename(trail.file(), trail.path("old.log")).expect("a file that can be moved");
    replica.process.signal(Signal::HUP);
    let begun = std::time::Instant::now();
    trail.wait_for_outcome("reopened").await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(verified(&[trail.path("old.log"), trail.file()]), 3);
    fs::remove_file(trail.file()).expect("a file that can be deleted");
    assert_eq!(replica.api.release(&resource, token(&lock)).await.status, 204);
    trail.wait_for_outcome("reopened").await;
    replica.api.granted(&resource, "me", 30).await;
    trail.wait_for("grant", 1).await;
    // It goes on with the chain, whose middle is gone.
    verified(&[trail.file()]);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(trail.file()).expect("the file").permissions().mode() & 0o777, 0o600);
}

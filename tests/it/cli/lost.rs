//! `gorilla lock` that loses its lock: its command ends before the command of the next holder can begin.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::{Said, finish, gorilla, written};
use crate::harness::{Api, Mode, Process, Proxy, Redis, Replica, eventually, name};

/// Writes the time, by the clock that all processes share, until it is ended.
const TICKING: &str = r#"while :; do date +%s%N >> "$1"; sleep 0.01; done"#;
/// The same, and does not end when it is asked to.
const STUBBORN: &str = r#"trap '' TERM; while :; do date +%s%N >> "$1"; sleep 0.01; done"#;

/// A `gorilla lock` whose command writes the time into a file.
struct Ticking {
    process: Process,
    file: PathBuf,
    _folder: TempDir,
}

impl Ticking {
    fn start(url: &str, resource: &str, options: &[&str], script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ticks");
        let command = ["--", "sh", "-c", script, "sh", file.to_str().expect("a plain name")];
        let args = [&["lock", resource], options, &command].concat();
        let process = Process::spawn(&mut gorilla(url, &args)).expect("gorilla starts");
        Self { process, file, _folder: folder }
    }

    async fn begun(&self) -> u128 {
        written(&self.file).await;
        ticks(&self.file)[0]
    }

    async fn finish(self) -> (Said, Vec<u128>) {
        let said = finish(self.process).await;
        (said, ticks(&self.file))
    }
}

fn ticks(file: &Path) -> Vec<u128> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn url(api: &Api) -> String {
    format!("http://{}", api.address)
}

fn now() -> u128 {
    std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_nanos()
}

fn seconds(from: u128, to: u128) -> f64 {
    (to as f64 - from as f64) / 1e9
}

/// A third of the lease to the next renewal, and a second.
fn assert_ended_in_time(ticks: &[u128], lost: u128, lease: f64) {
    let took = seconds(lost, *ticks.last().expect("ticks"));
    assert!(took < lease / 3.0 + 1.0, "the command went on for {took} s");
}

#[tokio::test]
async fn a_broken_lock_ends_the_command_with_the_next_renewal() {
    let (api, resource) = (Replica::shared().await, name("broken"));
    let ticking = Ticking::start(&url(&api), &resource, &["--ttl", "3s"], TICKING);
    ticking.begun().await;
    assert_eq!(api.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await.status, 200);
    let broken = now();
    let (said, ticks) = ticking.finish().await;
    assert_eq!(said.code, 76, "{said:?}");
    assert!(said.err.contains("lost") && said.err.contains(&resource), "{said:?}");
    assert_ended_in_time(&ticks, broken, 3.0);
}

#[tokio::test]
async fn a_lock_that_is_broken_with_a_grace_ends_the_command_before_the_grace_is_over() {
    let (api, resource) = (Replica::shared().await, name("broken-grace"));
    let ticking = Ticking::start(&url(&api), &resource, &["--ttl", "3s"], STUBBORN);
    ticking.begun().await;
    let args = ["break", &resource, "--reason", "a test", "--yes", "--grace", "2500ms"];
    let said = finish(Process::spawn(&mut gorilla(&url(&api), &args)).expect("gorilla starts")).await;
    // That is 2.5 s, or what was left of the lease.
    assert!(said.code == 0 && said.out.contains("its holder may keep it for "), "{said:?}");
    let broken = now();
    let (said, ticks) = ticking.finish().await;
    assert_eq!(said.code, 76, "{said:?}");
    assert!(said.err.contains("somebody breaks") && said.err.contains("can't be renewed"), "{said:?}");
    let took = seconds(broken, *ticks.last().expect("ticks"));
    // It goes on after it was told, which is with a renewal after 1 s at the latest.
    assert!((0.5..2.6).contains(&took), "the command went on for {took} s");
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_ends_the_command_with_the_next_renewal() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let (replica, resource) = (Replica::on(&redis).await, name("empty"));
    let ticking = Ticking::start(&url(&replica.api), &resource, &["--ttl", "6s"], TICKING);
    ticking.begun().await;
    redis.stop();
    redis.run();
    eventually("the replica is ready", Duration::from_secs(10), || async {
        replica.api.get("/_ready").await.status == 200
    })
    .await;
    let lost = now();
    let (said, ticks) = ticking.finish().await;
    assert_eq!(said.code, 76, "{said:?}");
    assert_ended_in_time(&ticks, lost, 6.0);
}

/// Between the holder and everything else; a second holder is not cut off.
async fn partition(mode: Mode, script: &str) {
    let (api, resource) = (Replica::shared().await, name("partition"));
    let link = Proxy::to_replica(&api).await;
    let first = Ticking::start(&link.http_url(), &resource, &["--ttl", "3s"], script);
    first.begun().await;
    let second = Ticking::start(&url(&api), &resource, &["--ttl", "3s"], TICKING);
    // Somewhere in the middle of a lease.
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..1500))).await;
    link.set(mode);
    let cut = now();
    let began = second.begun().await;
    let (said, ticks) = first.finish().await;
    assert_eq!(said.code, 76, "{mode:?}: {said:?}");
    let last = *ticks.last().expect("ticks");
    assert!(last < began, "{mode:?}: both ran for {} s", seconds(began, last));
    assert!(seconds(cut, began) < 10.0, "{mode:?}: the second waited {} s", seconds(cut, began));
    second.process.signal(Signal::TERM);
    second.finish().await;
}

#[tokio::test]
async fn with_a_partition_the_command_is_gone_before_a_second_holder_s_begins() {
    // Where replies get lost, renewals still succeed for the server, and the lease ends later than the holder knows.
    tokio::join!(
        partition(Mode::SwallowRequests, TICKING),
        partition(Mode::SwallowRequests, STUBBORN),
        partition(Mode::SwallowReplies, TICKING),
        partition(Mode::SwallowReplies, STUBBORN),
    );
}

#[tokio::test]
async fn a_short_partition_costs_nothing() {
    let (api, resource) = (Replica::shared().await, name("short"));
    let link = Proxy::to_replica(&api).await;
    let ticking = Ticking::start(&link.http_url(), &resource, &["--ttl", "6s"], TICKING);
    ticking.begun().await;
    let fence = api.state(&resource).await["fence"].clone();
    for _ in 0..3 {
        link.sever();
        tokio::time::sleep(Duration::from_millis(700)).await;
        link.set(Mode::Pass);
        tokio::time::sleep(Duration::from_millis(2000)).await;
    }
    assert_eq!(api.state(&resource).await["fence"], fence);
    ticking.process.signal(Signal::TERM);
    let (said, _) = ticking.finish().await;
    assert_eq!((said.code, said.err.as_str()), (143, ""), "{said:?}");
}

#[tokio::test]
async fn a_gorilla_that_is_stopped_longer_than_the_lease_has_its_command_ended_in_time() {
    let (api, resource) = (Replica::shared().await, name("stopped"));
    let first = Ticking::start(&url(&api), &resource, &["--ttl", "3s"], STUBBORN);
    first.begun().await;
    let second = Ticking::start(&url(&api), &resource, &["--ttl", "3s"], TICKING);
    first.process.signal(Signal::STOP);
    let began = second.begun().await;
    // It is still stopped, and its command is gone: the minder has seen to it.
    let last = *ticks(&first.file).last().expect("ticks");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ticks(&first.file).last(), Some(&last), "the command still runs");
    assert!(last < began, "both ran for {} s", seconds(began, last));
    first.process.signal(Signal::CONT);
    let (said, _) = first.finish().await;
    assert_eq!(said.code, 76, "{said:?}");
    second.process.signal(Signal::TERM);
    second.finish().await;
}

#[tokio::test]
async fn the_command_has_the_grace_to_clean_up_and_no_more() {
    let (api, resource) = (Replica::shared().await, name("grace"));
    let script = r#"trap 'echo cleaning; exit 0' TERM; date +%s%N > "$1"; while :; do sleep 0.02; done"#;
    let obeying = Ticking::start(&url(&api), &resource, &["--ttl", "1s"], script);
    let stubborn_resource = name("grace");
    let stubborn = Ticking::start(&url(&api), &stubborn_resource, &["--ttl", "2s", "--grace", "700ms"], STUBBORN);
    obeying.begun().await;
    stubborn.begun().await;
    api.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await;
    api.break_lock(&stubborn_resource, &json!({ "reason": "a test" }), &[]).await;
    let (said, _) = obeying.finish().await;
    assert_eq!((said.code, said.out.as_str()), (76, "cleaning\n"), "{said:?}");
    let begun = Instant::now();
    let (said, _) = stubborn.finish().await;
    assert_eq!(said.code, 76, "{said:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn on_request_the_command_goes_on_without_the_lock() {
    let api = Replica::shared().await;
    for (what, warned) in [("warn", true), ("ignore", false)] {
        let resource = name("goes-on");
        let script = r#"date +%s%N > "$1"; sleep 2.5; exit 5"#;
        let ticking = Ticking::start(&url(&api), &resource, &["--ttl", "1s", "--on-lost", what], script);
        ticking.begun().await;
        api.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await;
        let (said, _) = ticking.finish().await;
        assert_eq!((said.code, said.err.contains("lost")), (5, warned), "{said:?}");
    }
}

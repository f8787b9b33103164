//! `gorilla elect` and `gorilla lock --watch`, as processes.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{elected, leader, resign};
use crate::{
    cli::{Said, finish, gorilla, written},
    harness::{Api, Process, Redis, Replica, Signal, eventually, name, token},
};

const SOON: Duration = Duration::from_secs(30);

/// A `gorilla elect` whose command notes each of its terms in a file.
struct Candidate {
    process: Process,
    terms: PathBuf,
    _folder: TempDir,
}

impl Candidate {
    /// The command appends its term to a file, and then does what the script says.
    fn start(api: &Api, election: &str, options: &[&str], script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let terms = folder.path().join("terms");
        let script = format!("echo \"$GORILLA_LOCK_FENCE\" >> \"$1\"; {script}");
        let command = ["--", "sh", "-c", &script, "sh", terms.to_str().expect("a plain name")];
        let args = [&["elect", election], options, &command].concat();
        let process = Process::spawn(&mut gorilla(&api.url(), &args)).expect("gorilla starts");
        Self { process, terms, _folder: folder }
    }

    /// The terms in which its command has run: at least so many.
    async fn terms(&self, count: usize) -> Vec<u64> {
        let mut terms = Vec::new();
        eventually(&format!("it has led {count} times"), SOON, || {
            terms = std::fs::read_to_string(&self.terms)
                .unwrap_or_default()
                .lines()
                .map(|line| line.parse().expect("a term"))
                .collect();
            let enough = terms.len() >= count;
            async move { enough }
        })
        .await;
        terms
    }

    async fn finish(self) -> Said {
        finish(self.process).await
    }
}

#[tokio::test]
async fn when_the_leader_is_killed_the_other_leads_in_a_later_term() {
    let redis = Redis::shared();
    let (one, two) = (Replica::on(redis).await, Replica::on(redis).await);
    let election = name("killed");
    let first = Candidate::start(&one.api, &election, &["--ttl", "3s"], "exec sleep 60");
    let term = first.terms(1).await[0];
    let second = Candidate::start(&two.api, &election, &["--ttl", "3s", "--json"], "exec sleep 60");
    eventually("it is a candidate", SOON, || async { leader(&one.api, &election, "").await["candidates"] == 1 }).await;
    assert!(!second.terms.exists(), "two lead at once");
    first.process.signal(Signal::KILL);
    let later = second.terms(1).await[0];
    assert!(later > term, "{term} {later}");
    // The command ends with the signal that gorilla passes on, and then the leader has resigned.
    second.process.signal(Signal::TERM);
    let said = second.finish().await;
    assert_eq!(said.code, 128 + 15, "{said:?}");
    let events: Vec<Value> = said.err.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert!(names.contains(&"acquired") && names.last() == Some(&"released"), "{names:?}");
    assert_eq!(leader(&one.api, &election, "").await["leader"], Value::Null);
}

#[tokio::test]
async fn a_command_that_ends_resigns_with_its_exit_code() {
    let replica = Replica::shared().await;
    for (script, code) in [("exit 7", 7), ("exit 0", 0), ("exec /etc/passwd", 126)] {
        let election = name("ended");
        let candidate = Candidate::start(&replica, &election, &["--owner", "me"], script);
        let terms = candidate.terms(1).await;
        let said = candidate.finish().await;
        assert_eq!((said.code, terms.len()), (code, 1), "{script}: {said:?}");
        assert!(said.err.contains(&format!("in term {}", terms[0])), "{said:?}");
        assert_eq!(leader(&replica, &election, "").await["leader"], Value::Null);
    }
    let said =
        finish(Process::spawn(&mut gorilla(&replica.url(), &["elect", "a/b", "--", "true"])).expect("it starts"));
    assert_eq!(said.await.code, 64);
}

#[tokio::test]
async fn a_leader_that_is_broken_stops_its_command_and_leads_again_when_the_command_has_ended() {
    let replica = Replica::shared().await;
    let election = name("again");
    // The first command ends slowly when it is told to.
    let script = r#"if [ $(wc -l < "$1") -gt 1 ]; then exit 5; fi
        trap 'sleep 0.7; date +%s%N > "$1.ended"; exit 0' TERM
        while :; do sleep 0.05; done"#;
    let candidate = Candidate::start(&replica, &election, &["--ttl", "24s", "--watch"], script);
    let term = candidate.terms(1).await[0];
    let broken = replica.break_lock(&election, &json!({ "fence": term, "reason": "a test" }), &[]).await;
    assert_eq!(broken.status, 200, "{broken:?}");
    let terms = candidate.terms(2).await;
    assert!(terms[1] > terms[0], "{terms:?}");
    written(&candidate.terms.with_extension("ended")).await;
    let said = candidate.finish().await;
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.err.contains("lost"), "{said:?}");
    assert_eq!(leader(&replica, &election, "").await["leader"], Value::Null);
}

#[tokio::test]
async fn a_candidate_that_is_told_to_end_leaves_the_queue_and_runs_nothing() {
    let replica = Replica::shared().await;
    let election = name("given-up");
    let leads = elected(&replica, &election, "one", 60.0).await;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let candidate = Candidate::start(&replica, &election, &[], "true");
        eventually("it is a candidate", SOON, || async { leader(&replica, &election, "").await["candidates"] == 1 })
            .await;
        candidate.process.signal(signal);
        assert!(!candidate.terms.exists());
        assert_eq!(candidate.finish().await.code, code);
        eventually("it has left", SOON, || async { leader(&replica, &election, "").await["candidates"] == 0 }).await;
    }
    assert_eq!(resign(&replica, &election, token(&leads)).await.status, 204);
}

#[tokio::test]
async fn gorilla_lock_that_watches_ends_its_command_before_the_next_renewal() {
    let redis = Redis::shared();
    let (one, two) = (Replica::on(redis).await, Replica::on(redis).await);
    let resource = name("watched");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("runs");
    let script = r#"echo runs > "$1"; exec sleep 60"#;
    let command = ["--", "sh", "-c", script, "sh", file.to_str().expect("a plain name")];
    let args = [&["lock", &resource, "--ttl", "90s", "--watch"][..], &command].concat();
    let process = Process::spawn(&mut gorilla(&one.api.url(), &args)).expect("gorilla starts");
    written(&file).await;
    let broken = two.api.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await;
    assert_eq!(broken.status, 200, "{broken:?}");
    let begun = Instant::now();
    let said = finish(process).await;
    assert_eq!(said.code, 76, "{said:?}");
    // The next renewal would be after 30 s.
    assert!(begun.elapsed() < Duration::from_secs(25), "after {:?}", begun.elapsed());
}

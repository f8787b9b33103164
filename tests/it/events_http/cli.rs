//! `gorilla events` and `gorilla wait`.

use std::io::{BufRead, BufReader};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    cli::{Said, finish, gorilla},
    harness::{Process, Redis, Replica, name, token},
};

async fn run(url: &str, args: &[&str]) -> Said {
    finish(Process::spawn(&mut gorilla(url, args)).expect("gorilla starts")).await
}

/// A command that runs on, and the lines that it prints.
struct Running {
    process: Process,
    lines: mpsc::UnboundedReceiver<String>,
    errors: mpsc::UnboundedReceiver<String>,
}

fn lines(source: impl std::io::Read + Send + 'static) -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

impl Running {
    fn start(url: &str, args: &[&str]) -> Self {
        let mut process = Process::spawn(&mut gorilla(url, args)).expect("gorilla starts");
        let out = lines(process.child.stdout.take().expect("a pipe"));
        let errors = lines(process.child.stderr.take().expect("a pipe"));
        Self { process, lines: out, errors }
    }

    async fn line(&mut self) -> String {
        tokio::time::timeout(super::PATIENCE, self.lines.recv()).await.expect("a line comes").expect("it runs on")
    }
}

#[tokio::test]
async fn events_are_lines_that_no_name_can_spoil() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, url) = (&replica.api, replica.api.url());
    // It records before the commands listen, so that they can begin behind a cursor.
    let cursor = super::poll(api, "").await["cursor"].as_str().expect("a cursor").to_string();
    let evil = "'$(x)'; <img onerror>\u{202e}";
    let body = serde_json::json!({ "owner": "\u{1b}[2Jme", "timeout": 30 });
    let lock = api.acquire_with(evil, &body, &[]).await.json();
    let reason = serde_json::json!({ "fence": lock["fence"], "reason": "a\nb" });
    assert_eq!(api.break_lock(evil, &reason, &[]).await.status, 200);
    let mut people = Running::start(&url, &["events", "--since", &cursor]);
    let granted = people.line().await;
    assert!(granted.contains("granted") && granted.contains("'$(x)'; <img onerror>\\u{202e}"), "{granted}");
    assert!(granted.contains("\\u{1b}[2Jme") && granted.contains(&lock["fence"].to_string()), "{granted}");
    let broken = people.line().await;
    assert!(broken.contains("broken") && broken.contains("a\\nb"), "{broken}");
    let mut json = Running::start(&url, &["events", evil, "--types", "broken", "--json", "--since", &cursor]);
    let line = json.line().await;
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((event["resource"].as_str(), &event["fence"]), (Some(evil), &lock["fence"]));
    assert!(line.is_ascii(), "{line}");
    let mut last = Running::start(&url, &["events", "--recent", "1"]);
    assert_eq!(last.line().await, broken);
    let next = api.granted("after-that", "me", 30).await;
    assert!(last.line().await.contains(&next["fence"].to_string()));
    drop(last.process);
    let past = run(&url, &["events", evil, "--past"]).await;
    let types: Vec<_> = past.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!((past.code, types.as_slice()), (0, ["broken", "granted"].as_slice()), "{past:?}");
    assert!(past.err.contains("recorded since"), "{past:?}");
    drop((people.process, json.process));
}

#[tokio::test]
async fn the_command_goes_on_after_a_restart_and_says_what_it_missed() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (url, address, resource) = (replica.api.url(), replica.api.address.clone(), name("cli-events"));
    let cursor = super::poll(&replica.api, "").await["cursor"].as_str().expect("a cursor").to_string();
    let lock = replica.api.granted(&resource, "me", 60).await;
    let mut command = Running::start(&url, &["events", &resource, "--since", &cursor]);
    assert!(command.line().await.contains("granted"));
    drop(replica);
    let other = Replica::on(&redis).await;
    other.api.release(&resource, token(&lock)).await;
    let _again = Replica::with(&redis.url(), &[("GORILLA__SERVER__LISTEN", &address)]).await;
    assert!(command.line().await.contains("released"));

    redis.cli(&["FLUSHALL"]);
    let said = tokio::time::timeout(super::PATIENCE * 2, async {
        loop {
            let line = command.errors.recv().await.expect("it runs on");
            if line.contains("missing") {
                return line;
            }
        }
    });
    let said = said.await.expect("it says that events are missing");
    assert!(said.contains("Redis has lost them"), "{said}");
}

#[tokio::test]
async fn wait_exits_with_0_when_the_lock_is_free_and_with_75_when_the_time_is_over() {
    let (api, resource) = (Replica::shared().await, name("cli-wait"));
    let url = api.url();
    let said = run(&url, &["wait", &resource]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let lock = api.granted(&resource, "me", 60).await;
    let said = run(&url, &["wait", &resource, "--wait", "300ms", "--json"]).await;
    let state: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((said.code, &state["fence"]), (75, &lock["fence"]), "{said:?}");
    let waits = |args: &[&str]| Process::spawn(&mut gorilla(&url, args)).expect("gorilla starts");
    let free = waits(&["wait", &resource, "-q"]);
    let fence = lock["fence"].to_string();
    let changed = waits(&["wait", &resource, "--changed", "--fence", &fence, "-q"]);
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    for process in [free, changed] {
        let said = finish(process).await;
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    }
    let said = run(&url, &["wait", &resource, "--fence", "3"]).await;
    assert_eq!(said.code, 64, "{said:?}");
}

#[tokio::test]
async fn wrong_usage_and_a_server_that_is_away_have_their_exit_codes() {
    let url = Replica::shared().await.url();
    for (url, args, code) in [
        (url.as_str(), &["events", "--types", "eaten"] as &[&str], 64),
        (url.as_str(), &["events", "--past"], 64),
        (url.as_str(), &["events", "a/b"], 64),
        ("http://127.0.0.1:1", &["events"], 69),
        ("http://127.0.0.1:1", &["wait", "a"], 69),
    ] {
        let said = run(url, args).await;
        assert_eq!(said.code, code, "{args:?}: {said:?}");
    }
}

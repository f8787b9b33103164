//! What others have written (names, owners, metadata, reasons) reaches no terminal as it is.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Said, finish, gorilla, run};
use crate::harness::{Process, Redis, Replica, eventually, name};

/// Escape sequences of both kinds, ends of lines, what turns the direction of text, and what has no width.
const NASTY: &str = "a\u{1b}[2J\r\n\u{7f}\u{85}\u{9b}31m\u{ad}\u{61c}\u{200b}\u{200f}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{e0001}z";
/// What of it may be in a name.
const NASTY_NAME: &str = "\u{ad}\u{61c}\u{200b}\u{200f}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{e0001}";

/// Asserts that a terminal shows each character of a text, and does nothing else with it but end lines.
#[track_caller]
fn assert_tame(text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    };
    let found: Vec<_> = text.chars().filter(|&c| acts(c)).collect();
    assert!(found.is_empty(), "{found:?} in {text:?}");
}

async fn server() -> String {
    format!("http://{}", Replica::shared().await.address)
}

/// Asserts that all a command said is tame; what it said.
#[track_caller]
fn tame(said: Said) -> Said {
    assert_tame(&said.out);
    assert_tame(&said.err);
    said
}

#[tokio::test]
async fn what_a_holder_wrote_is_escaped_for_people_and_in_json_that_says_the_same() {
    let (url, resource) = (server().await, name(NASTY_NAME));
    let resource = resource.as_str();
    let meta = format!("{NASTY}={NASTY}");
    let taken =
        tame(run(&url, &["acquire", resource, "--owner", NASTY, "--meta", &meta, "--ttl", "1h", "--json"]).await);
    let lock: Value = serde_json::from_str(&taken.out).expect("JSON");
    let metadata = json!([{ NASTY: NASTY }]);
    assert_eq!((&lock["owner"], &lock["resource"], &lock["metadata"]), (&NASTY.into(), &resource.into(), &metadata));
    let token = lock["token"].as_str().expect("a token");
    for args in [vec!["status", resource], vec!["status", resource, token], vec!["ls", resource]] {
        let said = tame(run(&url, &args).await);
        assert!(said.code == 0 && said.out.contains("\\u{202e}") && said.out.contains("a\\u{1b}[2J\\r\\n"), "{said:?}");
        // Metadata is JSON here too.
        assert!(args[0] == "ls" || said.out.contains("\\u202e"), "{said:?}");
        let said = tame(run(&url, &[&args[..], &["--json"]].concat()).await);
        let shown: Value = serde_json::from_str(&said.out).expect("JSON");
        let facts = (&shown["owner"], &shown["resource"], &shown["metadata"]);
        assert_eq!(facts, (&NASTY.into(), &resource.into(), &metadata));
    }
    let said = tame(run(&url, &["extend", resource, token, "--ttl", "1h"]).await);
    assert_eq!(said.code, 0, "{said:?}");
    for args in [vec!["acquire", resource, "-n"], vec!["lock", resource, "-n", "--", "true"]] {
        let said = tame(run(&url, &args).await);
        assert!(said.code == 75 && said.err.contains("\\u{202e}"), "{said:?}");
    }
    let said = tame(run(&url, &["lock", resource, "--wait", "1500ms", "--json", "--", "true"]).await);
    for line in said.err.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&event["owner"], &event["resource"]), (&NASTY.into(), &resource.into()), "{line}");
    }
    assert_eq!((said.code, said.err.lines().count()), (75, 2), "{said:?}");
    let said = tame(run(&url, &["break", resource, "--yes", "--reason", NASTY]).await);
    assert!(said.code == 0 && said.out.contains("\\u{202e}"), "{said:?}");
}

/// A server that refuses one request with this message.
fn refusing(message: &str) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let body = json!({ "code": "teapot", "errorMessage": message }).to_string();
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let read = stream.read(&mut [0; 4096]).expect("a request");
        assert!(read > 0);
        let head = format!("HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("it reads");
    });
    (url, answer)
}

#[tokio::test]
async fn what_a_server_says_is_escaped_too() {
    for args in [vec!["status", "x"], vec!["acquire", "x"], vec!["lock", "x", "--", "true"], vec!["ls"]] {
        let (url, answer) = refusing(NASTY);
        let said = tame(run(&url, &args).await);
        assert!(said.code == 1 && said.err.contains("\\u{1b}[2J") && said.err.contains("\\u{202e}"), "{said:?}");
        answer.join().expect("it answers");
    }
}

#[tokio::test]
async fn the_command_gets_name_and_owner_as_they_are() {
    let (url, resource) = (server().await, name(NASTY_NAME));
    let script = r#"printf '%s|%s' "$GORILLA_LOCK_NAME" "$GORILLA_LOCK_OWNER""#;
    let said = run(&url, &["lock", &resource, "--owner", NASTY, "--", "sh", "-c", script]).await;
    assert_eq!((said.code, said.out), (0, format!("{resource}|{NASTY}")));
}

#[tokio::test]
async fn log_lines_are_escaped_as_json_that_says_the_same_and_for_people() {
    let redis = Redis::start(&[]);
    for format in ["json", "pretty"] {
        let (replica, resource) = (Replica::with(&redis.url(), &[("GORILLA__LOG__FORMAT", format)]).await, name("log"));
        replica.api.granted(&resource, NASTY, 30).await;
        let broken = replica.api.break_lock(&resource, &json!({ "reason": NASTY }), &[]).await;
        // Answers are data for programs: only the log is escaped.
        assert!(broken.status == 200 && broken.text.contains('\u{202e}'), "{broken:?}");
        let line = || replica.log().split('\n').find(|line| line.contains("a lock was broken")).map(str::to_string);
        eventually("the audit line", Duration::from_secs(5), || async { line().is_some() }).await;
        let line = line().expect("the audit line");
        assert_tame(&line);
        if format == "json" {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!((&line["owner"], &line["reason"]), (&NASTY.into(), &NASTY.into()));
        } else {
            assert!(line.contains("\\u{202e}") && line.contains(&resource), "{line}");
        }
    }
}

#[tokio::test]
async fn settings_are_shown_escaped_and_so_is_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("\u{1b}[2J\u{202e}.toml");
    let path = path.to_str().expect("UTF-8");
    for (text, code) in
        [("[redis]\nkey_prefix = 'x'\n", 0), ("[redis]\n\"\u{202e}\\u001b\" = 1\n", 78), ("\u{202e}", 78)]
    {
        std::fs::write(path, text).expect("a file");
        let process = Process::spawn(&mut gorilla("", &["config", "show", "--config", path])).expect("gorilla starts");
        let said = tame(finish(process).await);
        let name_is_shown = (said.out.clone() + &said.err).contains("\\u{1b}[2J\\u{202e}.toml");
        assert!(said.code == code && name_is_shown, "{said:?}");
    }
}

//! A replica remembers whose key a connection presented last. Nothing that it promises of keys may depend on that.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{everything, guarded};
use crate::harness::{AccessFile, Key, Replica, Signal, eventually, key_entry, lock_path, name, role};

const PATIENCE: Duration = Duration::from_secs(60);

/// One connection, over which requests go one after the other.
struct Wire(TcpStream);

impl Wire {
    async fn to(replica: &Replica) -> Self {
        Self(TcpStream::connect(&replica.api.address).await.expect("a connection"))
    }

    /// Sends a request with these credentials, and reads its answer: the status and the JSON.
    async fn ask(&mut self, method: &str, path: &str, credentials: Option<&str>, body: &str) -> (u16, Value) {
        let credentials = credentials.map(|credentials| format!("Authorization: {credentials}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n",
            body.len(),
            credentials.unwrap_or_default()
        );
        self.0.write_all((head + body).as_bytes()).await.expect("the connection is open");
        let mut read = Vec::new();
        loop {
            let count = self.0.read_buf(&mut read).await.expect("the connection is open");
            assert!(count > 0, "the replica closed the connection: {}", String::from_utf8_lossy(&read));
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() == length.expect("the length of the answer") {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
                return (status, serde_json::from_str(body).unwrap_or_default());
            }
        }
    }

    /// Whom the replica takes the caller for; the code of the refusal if it takes it for nobody.
    async fn identity(&mut self, credentials: Option<&str>) -> String {
        let (status, answer) = self.ask("GET", "/api/v1/me", credentials, "").await;
        let said = if status == 200 { &answer["identity"]["name"] } else { &answer["code"] };
        said.as_str().unwrap_or_else(|| panic!("{status}: {answer}")).into()
    }
}

/// Exchanges the file, and waits until it is in force.
async fn exchange(replica: &Replica, file: &AccessFile, text: &str, signal: bool) {
    let before = replica.log().len();
    file.write(text);
    if signal {
        replica.process.signal(Signal::HUP);
    }
    let is_reloaded = || async { replica.log()[before..].contains("the access file was reloaded") };
    eventually("the file is reloaded", PATIENCE, is_reloaded).await;
}

#[tokio::test]
async fn callers_that_share_a_connection_are_each_who_they_are() {
    let (ops, reader) = (Key::new("ops"), Key::new("reader"));
    let looks = role("looks", "{prefix=\"\", verbs=[\"inspect\"]}");
    let entries = key_entry("ops", "all", &ops, "") + &key_entry("reader", "looks", &reader, "");
    let file = AccessFile::new(&(everything("all") + &looks + &entries));
    let replica = guarded(&file).await;
    let mut wire = Wire::to(&replica).await;
    let path = lock_path(&name("shared-connection"));
    let (ops_bearer, reader_bearer) = (ops.bearer(), reader.bearer());
    let mut changed = ops_bearer.clone();
    changed.replace_range(30..31, if &changed[30..31] == "0" { "1" } else { "0" });
    for round in 0..3 {
        for _ in 0..=round {
            assert_eq!(wire.identity(Some(&ops_bearer)).await, "ops");
        }
        assert_eq!(wire.identity(None).await, "authentication_required");
        assert_eq!(wire.identity(Some(&reader_bearer)).await, "reader");
        let body = json!({ "owner": "me", "timeout": 30 }).to_string();
        assert_eq!(wire.ask("POST", &path, Some(&reader_bearer), &body).await.0, 403);
        assert_eq!(wire.ask("GET", &path, Some(&reader_bearer), "").await.0, 200);
        assert_eq!(wire.identity(Some(&ops_bearer)).await, "ops");
        for wrong in [&changed, &ops_bearer[..ops_bearer.len() - 1], &format!("{ops_bearer}0"), &ops.text] {
            assert_eq!(wire.identity(Some(wrong)).await, "invalid_key", "after {wrong}");
        }
        // The same key, written in another way.
        assert_eq!(wire.identity(Some(&format!("bearer   {}", ops.text))).await, "ops");
        assert_eq!(wire.ask("POST", &path, Some(&ops_bearer), &body).await.0, if round == 0 { 200 } else { 409 });
    }
    assert!(!replica.log().contains(&ops.text[18..40]));
}

#[tokio::test]
async fn a_key_that_is_removed_is_refused_at_the_next_request_of_the_same_connection() {
    let (ops, other) = (Key::new("ops"), Key::new("other"));
    let with = everything("all") + &key_entry("ops", "all", &ops, "") + &key_entry("other", "all", &other, "");
    let without = everything("all") + &key_entry("other", "all", &other, "");
    let file = AccessFile::new(&with);
    let replica = guarded(&file).await;
    let bearer = ops.bearer();
    let mut wire = Wire::to(&replica).await;
    // By the signal, and by the look at the content.
    for signal in [true, false] {
        assert_eq!(wire.identity(Some(&bearer)).await, "ops");
        assert_eq!(wire.identity(Some(&bearer)).await, "ops");
        exchange(&replica, &file, &without, signal).await;
        assert_eq!(wire.identity(Some(&bearer)).await, "invalid_key");
        assert_eq!(wire.identity(Some(&bearer)).await, "invalid_key");
        assert_eq!(wire.identity(Some(&other.bearer())).await, "other");
        exchange(&replica, &file, &with, true).await;
    }
    assert_eq!(wire.identity(Some(&bearer)).await, "ops");
}

#[tokio::test]
async fn what_a_key_may_do_and_whose_it_is_counts_as_the_file_says_it_at_each_request_of_a_connection() {
    let key = Key::new("ops");
    let looks = role("all", "{prefix=\"\", verbs=[\"inspect\"]}");
    let file = AccessFile::new(&(everything("all") + &key_entry("ops", "all", &key, "")));
    let replica = guarded(&file).await;
    let (bearer, mut wire) = (key.bearer(), Wire::to(&replica).await);
    let path = || lock_path(&name("changing"));
    let body = json!({ "owner": "me", "timeout": 30 }).to_string();
    assert_eq!(wire.ask("POST", &path(), Some(&bearer), &body).await.0, 200);
    exchange(&replica, &file, &(looks.clone() + &key_entry("ops", "all", &key, "")), true).await;
    assert_eq!(wire.ask("POST", &path(), Some(&bearer), &body).await.0, 403);
    assert_eq!(wire.identity(Some(&bearer)).await, "ops");
    exchange(&replica, &file, &(looks + &key_entry("renamed", "all", &key, "")), true).await;
    assert_eq!(wire.identity(Some(&bearer)).await, "renamed");
}

#[tokio::test]
async fn a_key_that_expires_between_two_requests_of_a_connection_is_refused_without_a_new_file() {
    let key = Key::new("ops");
    // A slow machine may take longer than the key is valid. Then the key has to be valid for longer.
    for seconds in [3, 10, 30] {
        // The file counts in whole seconds.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
        let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(now + seconds);
        let more = format!("expires = \"{}\"", humantime::format_rfc3339_seconds(expires));
        let file = AccessFile::new(&(everything("all") + &key_entry("ops", "all", &key, &more)));
        let replica = guarded(&file).await;
        let (bearer, mut wire, mut served) = (key.bearer(), Wire::to(&replica).await, 0);
        let refused = loop {
            let (status, answer) = wire.ask("GET", "/api/v1/me", Some(&bearer), "").await;
            if status != 200 {
                break answer;
            }
            served += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(SystemTime::now() >= expires, "it was refused before its time");
        assert!(refused["code"] == "invalid_key" && refused.to_string().contains("expired"), "{refused}");
        assert_eq!(wire.identity(Some(&bearer)).await, "invalid_key");
        // The second request found the key remembered.
        if served > 1 {
            return;
        }
    }
    panic!("the machine is too slow to ask twice in 30 s");
}

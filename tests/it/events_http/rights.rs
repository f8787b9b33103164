//! A listener is told only what its key may see, now and later.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Stream, ask};
use crate::harness::{AccessFile, Api, Key, Redis, Replica, Signal, key_entry, lock_path, name, role, token};

/// A replica with an operator who may do all, and a listener with these rules; what both send as `Authorization`.
struct Guarded {
    file: AccessFile,
    replica: Replica,
    operator: Api,
    bearer: String,
}

fn text(rules: &str) -> String {
    let all = r#"{prefix="", verbs=["acquire","wait","extend","release","inspect","list","break","limit","events","metrics"]}"#;
    role("all", all)
        + &role("listener", rules)
        + &key_entry("operator", "all", &Key::new("operator"), "")
        + &key_entry("listener", "listener", &Key::new("listener"), "")
}

async fn guarded(rules: &str) -> Guarded {
    let file = AccessFile::new(&text(rules));
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let operator = replica.api.with_key(&Key::new("operator"));
    Guarded { file, operator, bearer: Key::new("listener").bearer(), replica }
}

impl Guarded {
    async fn listen(&self, query: &str) -> Stream {
        let mut stream = Stream::open_with(&self.replica.api, query, &[("Authorization", &self.bearer)]).await;
        assert_eq!(stream.told().await.event, "hello");
        stream
    }

    /// Puts other rules of the listener in force.
    fn change(&self, rules: &str) {
        self.file.write(&text(rules));
        self.replica.process.signal(Signal::HUP);
    }
}

#[tokio::test]
async fn only_locks_with_the_right_events_are_told_also_as_states() {
    let mine = name("rights-mine");
    let other = name("rights-other");
    let guarded =
        guarded(&format!("{{name=\"{mine}\", verbs=[\"events\"]}}, {{prefix=\"rights-\", verbs=[\"inspect\"]}}")).await;
    let api = &guarded.operator;
    let locks = [api.granted(&other, "me", 30).await, api.granted(&mine, "me", 30).await];
    let mut stream = guarded.listen("?snapshot=1").await;
    assert_eq!(stream.expect("state").await.data["resource"], json!(mine));
    stream.expect("synced").await;
    for (resource, lock) in [&other, &mine].into_iter().zip(&locks) {
        api.release(resource, token(lock)).await;
    }
    let first = stream.told().await.data;
    assert_eq!((&first["resource"], &first["type"]), (&json!(mine), &json!("released")), "{first}");

    let refused =
        ask(&guarded.replica.api.address, &format!("?resource={other}"), &[("Authorization", &guarded.bearer)]).await;
    assert_eq!(refused.status(), 403);
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!(
        (&body["code"], &body["verb"], &body["resource"]),
        (&json!("insufficient_scope"), &json!("events"), &json!(other))
    );
    let listener = guarded.replica.api.with_key(&Key::new("listener"));
    assert_eq!(listener.get(&format!("{}/events", lock_path(&other))).await.status, 403);
    assert_eq!(listener.get(&format!("{}/events", lock_path(&mine))).await.status, 200);
}

#[tokio::test]
async fn a_key_that_loses_its_right_is_told_bye_and_nothing_more() {
    let guarded = guarded(r#"{prefix="orders:", verbs=["events"]}"#).await;
    let api = &guarded.operator;
    let (named, of_all) = (format!("orders:{}", name("bye")), format!("orders:{}", name("bye")));
    let named_stream = guarded.listen(&format!("?resource={named}")).await;
    let mut all = guarded.listen("").await;
    let lock = api.granted(&of_all, "me", 60).await;
    loop {
        // Others use the same Redis.
        let told = all.told().await.data;
        assert!(told["resource"].as_str().is_some_and(|name| name.starts_with("orders:")), "{told}");
        if told["resource"] == json!(of_all) {
            break;
        }
    }
    // Other rights: the stream of all goes on with these, that of the named lock ends.
    let stock = format!("stock:{}", name("bye"));
    guarded.change(r#"{prefix="stock:", verbs=["events"]}"#);
    let end = named_stream.rest().await.pop().expect("a message");
    assert_eq!((end.event.as_str(), &end.data["reason"]), ("bye", &json!("rights")));
    // Before its bye the file was in force. So the stream of all, which is as new, follows it from now on.
    api.extend(&of_all, token(&lock), 60).await;
    api.granted(&stock, "me", 30).await;
    let next = all.told().await.data;
    assert!(next["resource"].as_str().is_some_and(|name| name.starts_with("stock:")), "{next}");

    // Without the key.
    guarded.change(r#"{prefix="stock:", verbs=["inspect"]}"#);
    let end = all.rest().await.pop().expect("a message");
    assert_eq!((end.event.as_str(), &end.data["reason"]), ("bye", &json!("rights")));
}

#[tokio::test]
async fn a_key_that_expires_is_told_bye() {
    let expires = humantime::format_rfc3339_seconds(std::time::SystemTime::now() + Duration::from_secs(4)).to_string();
    let key = Key::new("short");
    let rules = r#"{prefix="", verbs=["events"]}"#;
    let text = role("listener", rules) + &key_entry("short", "listener", &key, &format!("expires = {expires}"));
    let file = AccessFile::new(&text);
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let stream = Stream::open_with(&replica.api, "?prefix=nobody", &[("Authorization", &key.bearer())]).await;
    let end = stream.rest().await.pop().expect("a message");
    assert_eq!((end.event.as_str(), &end.data["reason"]), ("bye", &json!("rights")));
}

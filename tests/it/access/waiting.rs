//! A request that waits is granted only what its key allows when its turn comes.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::task::JoinHandle;

use super::{everything, guarded};
use crate::harness::{AccessFile, Answer, Api, Key, Signal, eventually, key_entry, name, role, token};

fn file_of(role: &str, waiter: Option<(&Key, &str)>) -> String {
    let waiter = waiter.map(|(key, more)| key_entry("waiter", "workers", key, more)).unwrap_or_default();
    everything("all") + role + &key_entry("ops", "all", &Key::new("ops"), "") + &waiter
}

fn workers(verbs: &str) -> String {
    role("workers", &format!("{{prefix=\"\", verbs=[{verbs}]}}"))
}

const ALL: &str = r#""acquire","wait","release""#;

async fn waits(ops: &Api, waiter: &Api, resource: &str) -> JoinHandle<Answer> {
    let (waiter, resource_too) = (waiter.clone(), resource.to_string());
    let body = json!({ "owner": "worker", "timeout": 30, "wait": 25 });
    let waiting = tokio::spawn(async move { waiter.acquire_with(&resource_too, &body, &[]).await });
    eventually("the request waits", Duration::from_secs(5), || async { ops.state(resource).await["waiting"] == 1 })
        .await;
    waiting
}

#[tokio::test]
async fn a_waiter_whose_key_was_taken_away_is_refused_and_leaves_the_queue() {
    let key = Key::new("waiter");
    for (later, status, code) in [
        // The key is gone; the role allows less; the key has expired long ago.
        (file_of(&workers(ALL), None), 401, "invalid_key"),
        (file_of(&workers(r#""acquire","release""#), Some((&key, ""))), 403, "insufficient_scope"),
        (file_of(&workers(ALL), Some((&key, "expires = 2020-01-01T00:00:00Z"))), 401, "invalid_key"),
        (file_of(&workers(ALL), Some((&key, "owner_prefix = \"other/\""))), 403, "insufficient_scope"),
    ] {
        let file = AccessFile::new(&file_of(&workers(ALL), Some((&key, ""))));
        let replica = guarded(&file).await;
        let (ops, waiter) = (replica.api.with_key(&Key::new("ops")), replica.api.with_key(&key));
        let resource = name("revoked");
        let held = ops.granted(&resource, "holder", 60).await;
        let waiting = waits(&ops, &waiter, &resource).await;
        file.write(&later);
        replica.process.signal(Signal::HUP);
        let answer = waiting.await.expect("no panic");
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
        eventually("it has left the queue", Duration::from_secs(5), || async {
            ops.state(&resource).await["waiting"] == 0
        })
        .await;
        assert_eq!(ops.release(&resource, token(&held)).await.status, 204);
        assert_eq!(ops.state(&resource).await["held"], false);
    }
}

#[tokio::test]
async fn a_waiter_whose_key_stays_does_not_notice_a_new_file() {
    let key = Key::new("waiter");
    let file = AccessFile::new(&file_of(&workers(ALL), Some((&key, ""))));
    let replica = guarded(&file).await;
    let (ops, waiter) = (replica.api.with_key(&Key::new("ops")), replica.api.with_key(&key));
    let resource = name("kept");
    let held = ops.granted(&resource, "holder", 60).await;
    let waiting = waits(&ops, &waiter, &resource).await;
    file.write(&file_of(&workers(r#""acquire","wait""#), Some((&key, "owner_prefix = \"work\""))));
    replica.process.signal(Signal::HUP);
    eventually("the file is read", Duration::from_secs(5), || async {
        replica.log().contains("the access file was reloaded")
    })
    .await;
    assert_eq!(ops.release(&resource, token(&held)).await.status, 204);
    assert_eq!(waiting.await.expect("no panic").status, 200);
}

#[tokio::test]
async fn a_key_that_expires_while_its_request_waits_is_not_granted_the_lock() {
    let key = Key::new("waiter");
    // The access file has whole seconds.
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let soon = SystemTime::UNIX_EPOCH + Duration::from_secs(now + 4);
    let expires = format!("expires = {}", humantime::format_rfc3339_seconds(soon));
    let file = AccessFile::new(&file_of(&workers(ALL), Some((&key, &expires))));
    let replica = guarded(&file).await;
    let (ops, waiter) = (replica.api.with_key(&Key::new("ops")), replica.api.with_key(&key));
    let resource = name("expires");
    let _held = ops.granted(&resource, "holder", 60).await;
    let answer = waits(&ops, &waiter, &resource).await.await.expect("no panic");
    assert_eq!((answer.status, answer.code().as_str()), (401, "invalid_key"), "{answer:?}");
    assert!(SystemTime::now() >= soon);
}

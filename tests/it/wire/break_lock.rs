//! Break: the right of an operator, with its line in the audit log.

use std::time::Duration;

use serde_json::{Value, json};

use super::fields;
use crate::harness::{Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn a_break_ends_the_lock_whoever_holds_it() {
    let api = Replica::shared().await;
    let no_body = |resource: &str| {
        let (api, path) = (api.clone(), format!("{}/break", lock_path(resource)));
        async move { api.send(reqwest::Method::POST, &path, &[], None).await }
    };
    for form in ["no body", "{}", "fence", "all", "nulls"] {
        let resource = name("break");
        let lock = api.granted(&resource, "holder", 30).await;
        let body = match form {
            "fence" => json!({ "fence": lock["fence"] }),
            "all" => json!({ "fence": lock["fence"], "reason": "its host is gone" }),
            "nulls" => json!({ "fence": null, "reason": null }),
            _ => json!({}),
        };
        let answer = match form {
            "no body" => no_body(&resource).await,
            _ => api.break_lock(&resource, &body, &[]).await,
        };
        assert_eq!(answer.status, 200, "{form}: {answer:?}");
        let told = answer.json();
        assert_eq!(fields(&told), "fence id owner resource");
        for same in ["resource", "id", "owner", "fence"] {
            assert_eq!(told[same], lock[same], "{form}: {same}");
        }
        assert_eq!(api.state(&resource).await["held"], false);
        assert_eq!(api.release(&resource, token(&lock)).await.code(), "lock_not_found");
        assert_eq!(no_body(&resource).await.code(), "lock_not_found");
    }
}

#[tokio::test]
async fn a_break_that_names_another_fence_leaves_the_lock_alone() {
    let (api, resource) = (Replica::shared().await, name("break-other"));
    let old = api.granted(&resource, "old", 30).await;
    api.release(&resource, token(&old)).await;
    let lock = api.granted(&resource, "new", 30).await;
    for fence in [old["fence"].clone(), json!(1), json!((1_u64 << 53) - 1)] {
        let answer = api.break_lock(&resource, &json!({ "fence": fence }), &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "fence_changed"), "{answer:?}");
        let told = answer.json();
        assert_eq!(fields(&told), "code errorMessage fence outcome owner resource ttlMs");
        assert_eq!((&told["fence"], &told["owner"]), (&lock["fence"], &lock["owner"]));
        assert_eq!(told["outcome"], "not_executed");
        assert!(!answer.text.contains(token(&lock)), "a refusal tells the token");
    }
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);
}

#[tokio::test]
async fn a_break_with_a_grace_leaves_the_lock_to_its_holder_who_can_release_and_not_extend_it() {
    let (api, resource) = (Replica::shared().await, name("break-grace"));
    let lock = api.granted(&resource, "holder", 30).await;
    let mut before = api.state(&resource).await;
    let (body, key) = (json!({ "fence": lock["fence"], "grace": 10 }), [("Idempotency-Key", "grace-once")]);
    for replay in [None, Some("true")] {
        let answer = api.break_lock(&resource, &body, &key).await;
        assert_eq!((answer.status, answer.header("idempotent-replay")), (200, replay), "{answer:?}");
        let told = answer.json();
        assert_eq!(fields(&told), "fence id owner resource ttlMs");
        assert!((1..=10_000).contains(&told["ttlMs"].as_u64().expect("a time")), "{told}");
        for same in ["resource", "id", "owner", "fence"] {
            assert_eq!(told[same], lock[same], "{same}");
        }
    }
    let other = json!({ "fence": lock["fence"], "grace": 11 });
    assert_eq!(api.break_lock(&resource, &other, &key).await.code(), "idempotency_key_reused");

    let mut state = api.state(&resource).await;
    assert_eq!(state["breaking"], true, "{state}");
    for told in [&mut before, &mut state] {
        let told = told.as_object_mut().expect("an object");
        told.retain(|member, _| !["breaking", "expireAt", "ttlMs"].contains(&member.as_str()));
    }
    assert_eq!(state, before, "nothing else is different");
    let status = api.status(&resource, token(&lock)).await.json();
    assert!(status["ttlMs"].as_u64().is_some_and(|left| left <= 10_000), "{status}");

    let refused = api.extend(&resource, token(&lock), 60).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "lock_breaking"), "{refused:?}");
    let told = refused.json();
    assert_eq!(fields(&told), "brokenAt code errorMessage outcome resource ttlMs");
    assert!((1..=10_000).contains(&told["ttlMs"].as_u64().expect("a time")), "{told}");
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    // The lock has ended, so nothing is left of it.
    let replay = api.break_lock(&resource, &body, &key).await;
    assert_eq!((replay.status, replay.json()["ttlMs"].clone()), (200, json!(0)), "{replay:?}");
    let next = api.granted(&resource, "next", 30).await;
    assert_eq!(api.state(&resource).await["breaking"], json!(null));
    assert_eq!(api.extend(&resource, token(&next), 60).await.status, 200);
}

#[tokio::test]
async fn a_second_break_without_a_grace_ends_the_lock_at_once() {
    let (api, resource) = (Replica::shared().await, name("break-twice"));
    for grace in [json!(null), json!(0), json!("0")] {
        api.granted(&resource, "holder", 30).await;
        assert_eq!(api.break_lock(&resource, &json!({ "grace": "20" }), &[]).await.status, 200);
        assert_eq!(api.acquire(&resource, "early", 30).await.code(), "lock_held");
        let ended = api.break_lock(&resource, &json!({ "grace": grace }), &[]).await;
        assert_eq!((ended.status, fields(&ended.json()).as_str()), (200, "fence id owner resource"), "{ended:?}");
        assert_eq!(api.state(&resource).await["held"], false);
    }
}

#[tokio::test]
async fn a_break_is_in_the_audit_log_and_the_token_is_not() {
    let replica = Replica::start().await;
    let (api, resource) = (&replica.api, name("audit"));
    let lock = api.granted(&resource, "holder", 30).await;
    let refused = api.break_lock(&resource, &json!({ "fence": 1 }), &[("X-Request-Id", "refused-1")]).await;
    assert_eq!(refused.status, 409);
    let body = json!({ "reason": "its host \"is\" gone" });
    api.break_lock(&resource, &body, &[("X-Request-Id", "break-1"), ("Idempotency-Key", "once")]).await;
    let graced = name("audit-grace");
    api.granted(&graced, "holder", 30).await;
    api.break_lock(&graced, &json!({ "grace": 5 }), &[]).await;
    let replay = api.break_lock(&resource, &body, &[("X-Request-Id", "break-2"), ("Idempotency-Key", "once")]).await;
    assert_eq!(replay.header("idempotent-replay"), Some("true"));

    // The lines of a request are in order, so after the last line nothing is missing.
    eventually("the last request is in the log", Duration::from_secs(5), || async {
        replica.log().lines().any(|line| line.contains("break-2") && line.contains("gorilla::http"))
    })
    .await;
    let log = replica.log();
    let audit: Vec<Value> = log
        .lines()
        .filter(|line| line.contains("gorilla::audit"))
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    // Neither the refusal nor the replay ended a lock.
    let [line, with_grace] = audit.as_slice() else { panic!("two locks were broken: {audit:?}") };
    assert_eq!((&with_grace["resource"], &with_grace["ttl_ms"]), (&json!(graced), &json!(5000)), "{with_grace}");
    assert_eq!(line["ttl_ms"], json!(null), "{line}");
    for (field, expected) in [
        ("target", json!("gorilla::audit")),
        ("level", json!("WARN")),
        ("action", json!("break")),
        ("resource", json!(resource)),
        ("owner", json!("holder")),
        ("fence", lock["fence"].clone()),
        ("lock_id", lock["id"].clone()),
        ("reason", body["reason"].clone()),
        ("request_id", json!("break-1")),
    ] {
        assert_eq!(line[field], expected, "{field} in {line}");
    }
    assert!(line["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{line}");
    assert!(!log.contains(token(&lock)), "the log tells the token");
}

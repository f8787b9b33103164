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
async fn a_break_is_in_the_audit_log_and_the_token_is_not() {
    let replica = Replica::start().await;
    let (api, resource) = (&replica.api, name("audit"));
    let lock = api.granted(&resource, "holder", 30).await;
    let refused = api.break_lock(&resource, &json!({ "fence": 1 }), &[("X-Request-Id", "refused-1")]).await;
    assert_eq!(refused.status, 409);
    let body = json!({ "reason": "its host \"is\" gone" });
    api.break_lock(&resource, &body, &[("X-Request-Id", "break-1"), ("Idempotency-Key", "once")]).await;
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
    let [line] = audit.as_slice() else { panic!("one lock was broken: {audit:?}") };
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

//! An extend that keeps the token, and an extend that replaces the metadata.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, Redis, Replica, lock_path, name, token};

/// Extends by a lock's token with any body.
async fn extend(api: &Api, lock: &Value, body: &Value, key: Option<&str>) -> Answer {
    let path = format!("{}/{}", lock_path(lock["resource"].as_str().expect("a name")), token(lock));
    let headers: Vec<_> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
    api.send(Method::PUT, &path, &headers, Some(body.to_string())).await
}

#[tokio::test]
async fn with_rotate_false_the_token_stays_and_a_lost_answer_costs_nothing() {
    let (api, resource) = (Replica::shared().await, name("keep"));
    let lock = api.granted(&resource, "me", 30).await;
    // As if the answers to the first two had been lost.
    for timeout in [60, 60, 90] {
        let answer = extend(&api, &lock, &json!({ "timeout": timeout, "rotate": false }), None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let extended = answer.json();
        assert_eq!((&extended["token"], &extended["id"]), (&lock["token"], &lock["id"]));
        assert_eq!(extended["timeout"], timeout);
        assert!(extended["updatedAt"].as_str() >= lock["updatedAt"].as_str());
    }
    let rotated = extend(&api, &lock, &json!({ "timeout": 90, "rotate": true }), None).await.json();
    assert_ne!(rotated["token"], lock["token"]);
    assert_eq!(extend(&api, &lock, &json!({ "timeout": 90, "rotate": false }), None).await.code(), "token_mismatch");
    assert_ne!(
        extend(&api, &rotated, &json!({ "timeout": 90, "rotate": null }), None).await.json()["token"],
        rotated["token"]
    );
}

#[tokio::test]
async fn an_extend_that_keeps_the_token_is_answered_again_under_its_key_and_is_another_request_than_one_that_does_not()
{
    let (api, other, resource) = (Replica::shared().await, Replica::start().await, name("keep-key"));
    let lock = api.granted(&resource, "me", 30).await;
    let body = json!({ "timeout": 60, "rotate": false });
    let first = extend(&api, &lock, &body, Some("k")).await;
    assert_eq!((first.status, first.header("idempotent-replay")), (200, None), "{first:?}");
    let again = extend(&other.api, &lock, &body, Some("k")).await;
    assert_eq!((again.status, again.header("idempotent-replay")), (200, Some("true")), "{again:?}");
    assert_eq!(again.json()["token"], lock["token"]);
    assert_eq!(again.json()["expireAt"], first.json()["expireAt"]);
    for another in [
        json!({ "timeout": 60 }),
        json!({ "timeout": 60, "rotate": false, "metadata": null }),
        json!({ "timeout": 60, "metadata": "keeps_token" }),
    ] {
        assert_eq!(extend(&api, &lock, &another, Some("k")).await.code(), "idempotency_key_reused", "{another}");
    }
}

#[tokio::test]
async fn metadata_of_an_extend_replaces_the_metadata_and_without_it_they_stay() {
    let (api, redis, resource) = (Replica::shared().await, Redis::shared(), name("replace"));
    let body = json!({ "owner": "me", "timeout": 30, "metadata": ["first"] });
    let mut lock = api.acquire_with(&resource, &body, &[]).await.json();
    for (metadata, expected) in [
        (None, json!(["first"])),
        (Some(json!({ "step": 2 })), json!([{ "step": 2 }])),
        (None, json!([{ "step": 2 }])),
        (Some(json!(["a", null])), json!(["a", null])),
        (Some(Value::Null), json!([])),
    ] {
        let mut body = json!({ "timeout": 30 });
        if let Some(metadata) = metadata {
            body["metadata"] = metadata;
        }
        let answer = extend(&api, &lock, &body, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        lock = answer.json();
        assert_eq!(lock["metadata"], expected);
        assert_eq!(api.state(&resource).await["metadata"], expected);
        assert_eq!(api.status(&resource, token(&lock)).await.json()["metadata"], expected);
    }
    assert_eq!(redis.cli(&["HGET", &format!("gorilla:{{{resource}}}:lock"), "metadata"]), "[]");
    // What is refused changes nothing.
    let refused = extend(&api, &lock, &json!({ "timeout": 0.5, "metadata": "new" }), None).await;
    assert_eq!(refused.code(), "timeout_shorter");
    assert_eq!(api.state(&resource).await["metadata"], json!([]));
}

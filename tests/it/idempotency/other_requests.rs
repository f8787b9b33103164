//! A key that comes again with another request, and keys that don't meet.

use serde_json::{Value, json};

use super::{first, key, replay};
use crate::harness::{Answer, Redis, Replica, name, token};

#[track_caller]
fn reused(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (422, "idempotency_key_reused"), "{answer:?}");
    let body = answer.json();
    assert_eq!(body["outcome"], "not_executed");
    assert!(body["errorMessage"].as_str().is_some_and(|message| message.contains("Idempotency-Key")), "{body}");
}

#[tokio::test]
async fn another_body_by_the_same_key_is_a_422() {
    let (api, resource) = (Replica::shared().await, name("bodies"));
    let body = json!({ "owner": "me", "timeout": 30, "metadata": ["a", "b"] });
    let lock = first(&api.acquire_with(&resource, &body, &key("k")).await);
    for (field, value) in [
        ("owner", json!("you")),
        ("timeout", json!(30.001)),
        ("metadata", json!(["a", "c"])),
        ("metadata", json!(["ab"])),
        ("metadata", json!(["a", "b "])),
        ("metadata", Value::Null),
    ] {
        let mut other = body.clone();
        other[field] = value;
        reused(&api.acquire_with(&resource, &other, &key("k")).await);
    }
    // Also when the lock has ended: what the key was for does not change.
    api.release(&resource, token(&lock)).await;
    reused(&api.acquire_with(&resource, &json!({ "owner": "you", "timeout": 30 }), &key("k")).await);
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn another_token_timeout_fence_or_reason_by_the_same_key_is_a_422() {
    let (api, resource) = (Replica::shared().await, name("parts"));
    let lock = api.granted(&resource, "me", 30).await;
    let extended = first(&api.extend_with(&resource, token(&lock), 60, &key("extend")).await);
    reused(&api.extend_with(&resource, token(&lock), 61, &key("extend")).await);
    reused(&api.extend_with(&resource, token(&extended), 60, &key("extend")).await);
    assert_eq!(api.status(&resource, token(&extended)).await.json()["expireAt"], extended["expireAt"]);

    assert_eq!(api.release_with(&resource, token(&extended), &key("release")).await.status, 204);
    let next = api.granted(&resource, "next", 30).await;
    reused(&api.release_with(&resource, token(&next), &key("release")).await);

    first(&api.break_lock(&resource, &json!({ "reason": "a" }), &key("break")).await);
    let last = api.granted(&resource, "last", 30).await;
    for other in [json!({}), json!({ "reason": "b" }), json!({ "reason": "a", "fence": last["fence"] })] {
        reused(&api.break_lock(&resource, &other, &key("break")).await);
    }
    assert_eq!(api.status(&resource, token(&last)).await.status, 200);
}

#[tokio::test]
async fn another_operation_by_the_same_key_is_a_422() {
    let api = Replica::shared().await;
    let acquire = json!({ "owner": "me", "timeout": 30 });
    for used_by in ["acquire", "extend", "release", "break"] {
        let resource = name("operations");
        let lock = first(&api.acquire_with(&resource, &acquire, &key("acquire")).await);
        match used_by {
            "extend" => drop(first(&api.extend_with(&resource, token(&lock), 60, &key("extend")).await)),
            "release" => drop(api.release_with(&resource, token(&lock), &key("release")).await),
            "break" => drop(first(&api.break_lock(&resource, &json!({}), &key("break")).await)),
            _ => {}
        }
        for other in ["acquire", "extend", "release", "break"].into_iter().filter(|&other| other != used_by) {
            reused(&match other {
                "acquire" => api.acquire_with(&resource, &acquire, &key(used_by)).await,
                "extend" => api.extend_with(&resource, token(&lock), 60, &key(used_by)).await,
                "release" => api.release_with(&resource, token(&lock), &key(used_by)).await,
                _ => api.break_lock(&resource, &json!({}), &key(used_by)).await,
            });
        }
        assert_eq!(api.state(&resource).await["held"], ["acquire", "extend"].contains(&used_by), "{used_by}");
    }
}

#[tokio::test]
async fn the_same_key_on_another_resource_is_another_request() {
    let (api, body) = (Replica::shared().await, json!({ "owner": "me", "timeout": 30 }));
    let resources = [name("independent"), name("independent")];
    let mut locks = Vec::new();
    for resource in &resources {
        locks.push(first(&api.acquire_with(resource, &body, &key("same")).await));
    }
    assert_ne!(locks[0]["token"], locks[1]["token"]);
    for (resource, lock) in resources.iter().zip(&locks) {
        assert_eq!(replay(&api.acquire_with(resource, &body, &key("same")).await)["token"], lock["token"]);
    }
}

#[tokio::test]
async fn keys_may_have_every_visible_character_and_none_is_another() {
    let (api, resource) = (Replica::shared().await, name("keys"));
    let longest = "k".repeat(255);
    let keys = ["a", "A", "{}", "}:lock", "*", "%41", "\"'\\", "~!@#$%^&()", &longest, &longest[1..]];
    for one in keys {
        let lock = first(&api.acquire_with(&resource, &json!({ "owner": one, "timeout": 30 }), &key(one)).await);
        let record = format!("gorilla:{{{resource}}}:request:{one}");
        assert_eq!(Redis::shared().cli(&["EXISTS", &record]), "1", "{record}");
        api.release(&resource, token(&lock)).await;
    }
}

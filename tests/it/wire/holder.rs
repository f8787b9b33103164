//! Acquire, status, extend and release by the holder of the lock.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fields;
use crate::harness::{Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn a_lock_is_taken_looked_at_extended_and_released() {
    let (api, resource) = (Replica::shared().await, name("life"));

    let lock = api.granted(&resource, "me", 30).await;
    assert_eq!(lock["owner"], "me");
    assert_eq!(lock["resource"], *resource);
    assert_eq!(lock["timeout"], 30);
    assert_eq!(lock["ttlMs"], 30_000);
    assert_eq!(lock["metadata"], json!([]));
    assert_eq!(lock["createdAt"], lock["updatedAt"]);

    let status = api.status(&resource, token(&lock)).await;
    assert_eq!(status.status, 200);
    assert_eq!(status.json()["token"], lock["token"]);

    let extended = api.extend(&resource, token(&lock), 60).await;
    assert_eq!(extended.status, 200);
    assert_eq!(extended.json()["timeout"], 60);

    let released = api.release(&resource, token(&extended.json())).await;
    assert_eq!((released.status, released.text.as_str()), (204, ""));
    assert_eq!(api.state(&resource).await, json!({ "resource": resource, "held": false, "waiting": 0 }));
}

#[tokio::test]
async fn acquire_extend_and_status_answer_the_same_fields() {
    let (api, resource) = (Replica::shared().await, name("fields"));
    let lock = api.granted(&resource, "me", 30).await;
    let status = api.status(&resource, token(&lock)).await;
    let extended = api.extend(&resource, token(&lock), 30).await;
    for answer in [&status, &extended] {
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    for lock in [lock, status.json(), extended.json()] {
        assert_eq!(
            fields(&lock),
            "createdAt expireAt fence id metadata owner resource timeout token ttlMs updatedAt",
            "{lock}"
        );
        let version = |field: &str| Uuid::parse_str(lock[field].as_str().expect("text")).expect("a UUID");
        assert_eq!(version("id").get_version_num(), 7);
        assert_eq!(version("token").get_version_num(), 4);
        assert!(lock["fence"].as_u64().is_some_and(|fence| fence < 1 << 53), "{lock}");
    }
}

#[tokio::test]
async fn every_extend_replaces_the_token_and_keeps_the_tenure() {
    let (api, resource) = (Replica::shared().await, name("rotation"));
    let first = api.granted(&resource, "me", 20).await;
    let mut lock = first.clone();
    let mut tokens = vec![token(&first).to_string()];
    // Each lease is longer than the lease before, which may have begun in the same millisecond.
    for timeout in [21, 30, 40] {
        let extended = api.extend(&resource, token(&lock), timeout).await.json();
        for kept in ["id", "fence", "owner", "resource", "metadata", "createdAt"] {
            assert_eq!(extended[kept], first[kept], "{kept}");
        }
        assert_eq!(extended["timeout"], timeout);
        assert_eq!(extended["ttlMs"], timeout * 1000);
        assert!(extended["expireAt"].as_str() > lock["expireAt"].as_str(), "{extended} after {lock}");
        assert!(extended["updatedAt"].as_str() >= lock["updatedAt"].as_str(), "{extended} after {lock}");
        assert!(!tokens.contains(&token(&extended).to_string()), "a token came twice");
        tokens.push(token(&extended).into());
        lock = extended;
    }
    let current = tokens.pop().expect("the last token");
    for superseded in &tokens {
        assert_eq!(api.status(&resource, superseded).await.status, 404);
        assert_eq!(api.extend(&resource, superseded, 50).await.status, 409);
        assert_eq!(api.release(&resource, superseded).await.status, 404);
    }
    assert_eq!(api.status(&resource, &current).await.status, 200);
}

#[tokio::test]
async fn timeouts_are_numbers_or_numeric_strings_down_to_a_millisecond() {
    let api = Replica::shared().await;
    for (asked, seconds, milliseconds) in [
        (json!(10), json!(10), 10_000),
        (json!("10"), json!(10), 10_000),
        (json!(10.0), json!(10), 10_000),
        (json!(1.5), json!(1.5), 1_500),
        (json!("0.25"), json!(0.25), 250),
        (json!(0.1), json!(0.1), 100),
        (json!(12.345), json!(12.345), 12_345),
        (json!("1e1"), json!(10), 10_000),
        (json!(86_400), json!(86_400), 86_400_000),
    ] {
        let lock = api.granted(&name("timeouts"), "me", asked.clone()).await;
        assert_eq!((&lock["timeout"], &lock["ttlMs"]), (&seconds, &json!(milliseconds)), "{asked}");
    }
}

#[tokio::test]
async fn status_answers_the_whole_seconds_that_remain_and_the_exact_milliseconds() {
    let (api, resource) = (Replica::shared().await, name("remaining"));
    let lock = api.granted(&resource, "me", 9.999).await;
    let status = api.status(&resource, token(&lock)).await.json();
    let remaining = status["ttlMs"].as_u64().expect("a number");
    assert!((1..=9_999).contains(&remaining), "{status}");
    assert_eq!(status["timeout"], remaining / 1000);
}

#[tokio::test]
async fn a_lock_that_is_released_for_later_lasts_for_so_long_and_nobody_has_its_token() {
    let (api, resource) = (Replica::shared().await, name("later"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = format!("{}/{}?after=", lock_path(&resource), token(&lock));
    let release = |after: &'static str, key: &'static str| {
        let (api, path) = (api.clone(), format!("{path}{after}"));
        async move { api.send(Method::DELETE, &path, &[("Idempotency-Key", key)], None).await }
    };
    assert_eq!(release("1.5", "later-once").await.status, 204);
    let replay = release("1.5", "later-once").await;
    assert_eq!((replay.status, replay.header("idempotent-replay")), (204, Some("true")));
    assert_eq!(release("2", "later-once").await.code(), "idempotency_key_reused");

    let state = api.state(&resource).await;
    assert_eq!((&state["id"], &state["fence"]), (&lock["id"], &lock["fence"]), "{state}");
    assert!(state["ttlMs"].as_u64().is_some_and(|left| left <= 1500), "{state}");
    assert_eq!(api.acquire(&resource, "other", 30).await.code(), "lock_held");
    assert_eq!(api.status(&resource, token(&lock)).await.code(), "token_not_found");
    assert_eq!(api.extend(&resource, token(&lock), 30).await.code(), "token_mismatch");
    assert_eq!(api.release(&resource, token(&lock)).await.code(), "token_not_found");
    eventually("it ends", Duration::from_secs(5), || async { api.state(&resource).await["held"] == false }).await;
    // Without a time it is as ever.
    let lock = api.granted(&resource, "me", 30).await;
    let path = format!("{}/{}?after=0", lock_path(&resource), token(&lock));
    assert_eq!(api.send(Method::DELETE, &path, &[], None).await.status, 204);
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn a_token_is_taken_in_capital_letters_too() {
    let (api, resource) = (Replica::shared().await, name("capitals"));
    let lock = api.granted(&resource, "me", 30).await;
    assert_eq!(api.release(&resource, &token(&lock).to_uppercase()).await.status, 204);
}

#[tokio::test]
async fn the_header_lock_token_does_what_the_path_form_does() {
    let (api, resource) = (Replica::shared().await, name("header"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    let send = |method, token: &Value, body: Option<&str>| {
        let token = token.as_str().expect("a token").to_string();
        let (api, path, body) = (api.clone(), path.clone(), body.map(String::from));
        async move { api.send(method, &path, &[("Lock-Token", &token)], body).await }
    };
    let status = send(Method::GET, &lock["token"], None).await;
    assert_eq!((status.status, &status.json()["token"]), (200, &lock["token"]));
    let extended = send(Method::PUT, &lock["token"], Some(r#"{"timeout":60}"#)).await.json();
    assert_eq!((&extended["id"], &extended["timeout"]), (&lock["id"], &json!(60)));
    assert_eq!(send(Method::GET, &lock["token"], None).await.code(), "token_not_found");
    assert_eq!(send(Method::PUT, &lock["token"], Some(r#"{"timeout":60}"#)).await.code(), "token_mismatch");
    assert_eq!(send(Method::DELETE, &lock["token"], None).await.code(), "token_not_found");
    assert_eq!(send(Method::DELETE, &extended["token"], None).await.status, 204);
}

#[tokio::test]
async fn without_a_token_put_and_delete_are_refused_and_never_break_the_lock() {
    let (api, resource) = (Replica::shared().await, name("tokenless"));
    let lock = api.granted(&resource, "me", 30).await;
    let path = lock_path(&resource);
    for (method, body) in [(Method::PUT, Some(r#"{"timeout":60}"#)), (Method::PUT, None), (Method::DELETE, None)] {
        let answer = api.send(method.clone(), &path, &[], body.map(String::from)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "token_required"), "{method}");
        let message = answer.json()["errorMessage"].to_string();
        assert!(message.contains("Lock-Token"), "{message}");
        let answer = api.send(method.clone(), &path, &[("Lock-Token", "")], body.map(String::from)).await;
        assert!((400..500).contains(&answer.status), "{method}: {answer:?}");
    }
    assert_eq!(api.status(&resource, token(&lock)).await.json()["expireAt"], lock["expireAt"]);
}

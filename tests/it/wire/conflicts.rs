//! The rules for 404 and 409: what each answer tells, and that the lock stays as it was.

use std::time::Duration;

use serde_json::{Value, json};

use super::fields;
use crate::harness::{Answer, Api, Replica, eventually, name, token};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

/// Asserts an answer to the letter, except for its sentence and the time left.
fn is(answer: &Answer, status: u16, code: &str, facts: &[(&str, &Value)]) {
    let body = answer.json();
    assert_eq!((answer.status, &body["code"]), (status, &json!(code)), "{answer:?}");
    assert_eq!(body["outcome"], "not_executed", "{answer:?}");
    assert!(body["errorMessage"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{answer:?}");
    for (name, value) in facts {
        assert_eq!(&body[*name], *value, "{name} in {answer:?}");
    }
}

#[tokio::test]
async fn a_held_lock_is_refused_to_everybody_also_to_its_own_owner() {
    let (api, resource) = (Replica::shared().await, name("held"));
    let lock = api.granted(&resource, "holder", 30).await;
    for owner in ["other", "holder"] {
        let answer = api.acquire(&resource, owner, 30).await;
        let facts = [("owner", &lock["owner"]), ("fence", &lock["fence"]), ("waiting", &json!(0))];
        is(&answer, 409, "lock_held", &facts);
        assert_eq!(fields(&answer.json()), "code errorMessage fence outcome owner resource ttlMs waiting");
        assert!((1..=30_000).contains(&answer.json()["ttlMs"].as_u64().expect("a number")), "{answer:?}");
        assert!(!answer.text.contains(token(&lock)), "a refusal tells the token");
    }
    assert_eq!(api.status(&resource, token(&lock)).await.json()["expireAt"], lock["expireAt"]);
}

#[tokio::test]
async fn extend_with_another_token_is_a_409_that_says_who_holds_the_lock() {
    let (api, resource) = (Replica::shared().await, name("mismatch"));
    let lock = api.granted(&resource, "holder", 30).await;
    for other in [NOBODYS, "no-uuid"] {
        let answer = api.extend(&resource, other, 60).await;
        is(&answer, 409, "token_mismatch", &[("owner", &lock["owner"]), ("fence", &lock["fence"])]);
        assert_eq!(fields(&answer.json()), "code errorMessage fence outcome owner resource ttlMs");
        assert!(!answer.text.contains(token(&lock)), "a refusal tells the token");
    }
    assert_eq!(api.status(&resource, token(&lock)).await.json()["expireAt"], lock["expireAt"]);
}

#[tokio::test]
async fn extend_never_shortens_a_lease() {
    let (api, resource) = (Replica::shared().await, name("shorter"));
    let lock = api.granted(&resource, "me", 60).await;
    let answer = api.extend(&resource, token(&lock), 30).await;
    is(&answer, 409, "timeout_shorter", &[]);
    assert_eq!(fields(&answer.json()), "code errorMessage outcome ttlMs");
    assert!((30_001..=60_000).contains(&answer.json()["ttlMs"].as_u64().expect("a number")), "{answer:?}");
    let status = api.status(&resource, token(&lock)).await.json();
    assert_eq!((&status["expireAt"], &status["updatedAt"]), (&lock["expireAt"], &lock["updatedAt"]));
    // As long as the first lease is longer than what remains of it.
    assert_eq!(api.extend(&resource, token(&lock), 60).await.status, 200);
}

#[tokio::test]
async fn status_and_release_with_another_token_are_404_and_tell_nothing_of_the_lock() {
    let (api, resource) = (Replica::shared().await, name("strange"));
    let lock = api.granted(&resource, "holder", 30).await;
    for other in [NOBODYS, "no-uuid"] {
        for answer in [api.status(&resource, other).await, api.release(&resource, other).await] {
            is(&answer, 404, "token_not_found", &[("resource", &json!(resource))]);
            assert_eq!(fields(&answer.json()), "code errorMessage outcome resource");
            assert!(!answer.text.contains("holder"), "{answer:?}");
        }
    }
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);
}

#[tokio::test]
async fn everything_but_acquire_is_a_404_while_nobody_holds_the_lock() {
    let (api, resource) = (Replica::shared().await, name("missing"));
    for token in [NOBODYS, "no-uuid"] {
        for answer in [
            api.status(&resource, token).await,
            api.extend(&resource, token, 30).await,
            api.release(&resource, token).await,
            api.break_lock(&resource, &json!({}), &[]).await,
        ] {
            is(&answer, 404, "lock_not_found", &[("resource", &json!(resource))]);
            assert_eq!(fields(&answer.json()), "code errorMessage outcome resource");
        }
    }
}

#[tokio::test]
async fn a_stale_token_never_touches_the_next_grant() {
    let (api, resource) = (Replica::shared().await, name("stale"));
    let mut stale = Vec::new();

    let lock = api.granted(&resource, "released", 30).await;
    let extended = api.extend(&resource, token(&lock), 30).await.json();
    api.release(&resource, token(&extended)).await;
    stale.extend([lock, extended]);

    stale.push(api.granted(&resource, "expired", 0.1).await);
    free(&api, &resource).await;

    stale.push(api.granted(&resource, "broken", 30).await);
    assert_eq!(api.break_lock(&resource, &json!({}), &[]).await.status, 200);

    let next = api.granted(&resource, "next", 30).await;
    for lock in &stale {
        let (owner, old) = (&lock["owner"], token(lock));
        assert_eq!(api.extend(&resource, old, 60).await.code(), "token_mismatch", "{owner}");
        assert_eq!(api.release(&resource, old).await.code(), "token_not_found", "{owner}");
        assert_eq!(api.status(&resource, old).await.code(), "token_not_found", "{owner}");
    }
    let status = api.status(&resource, token(&next)).await.json();
    assert_eq!((&status["expireAt"], &status["owner"]), (&next["expireAt"], &json!("next")));
}

/// Waits until nobody holds a lock.
async fn free(api: &Api, resource: &str) {
    eventually("the lease ends", Duration::from_secs(5), || async { api.state(resource).await["held"] == false }).await;
}

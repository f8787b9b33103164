//! Idempotency-Keys that break their rules.

use reqwest::Method;

use super::{all_of, refused};
use crate::harness::{Replica, lock_path, name, token};

#[tokio::test]
async fn an_idempotency_key_out_of_its_rules_is_refused_by_every_operation_that_takes_one() {
    let (api, resource) = (Replica::shared().await, name("bad-keys"));
    let lock = api.granted(&resource, "me", 30).await;
    let (free, path) = (name("bad-keys-free"), lock_path(&resource));
    let by_token = format!("{path}/{}", token(&lock));
    let before = (all_of(&resource), all_of(&free));
    let too_long = "k".repeat(256);
    let rule: &[&str] = &["Idempotency-Key", "1 to 255 visible ASCII characters"];
    let twice: &[&str] = &["Idempotency-Key", "not come more than once"];
    for (keys, says) in [
        (vec![""], rule),
        (vec!["two words"], rule),
        (vec!["a\tb"], rule),
        (vec!["é"], rule),
        (vec![&too_long], rule),
        (vec!["a", "b"], twice),
        (vec!["a", "a"], twice),
    ] {
        let headers: Vec<_> = keys.iter().map(|key| ("Idempotency-Key", *key)).collect();
        for (method, path, body) in [
            (Method::POST, &lock_path(&free), Some(r#"{"owner":"me","timeout":30}"#)),
            (Method::PUT, &by_token, Some(r#"{"timeout":60}"#)),
            (Method::DELETE, &by_token, None),
            (Method::POST, &format!("{path}/break"), None),
        ] {
            let answer = api.send(method, path, &headers, body.map(String::from)).await;
            refused(&answer, 400, "invalid_request", says);
            assert_eq!(answer.json()["field"], "Idempotency-Key");
        }
    }
    assert_eq!((all_of(&resource), all_of(&free)), before);
    let longest = "k".repeat(255);
    assert_eq!(api.release_with(&resource, token(&lock), &[("Idempotency-Key", &longest)]).await.status, 204);
}

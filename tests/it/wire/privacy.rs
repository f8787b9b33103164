//! No token is ever written down.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Redis, Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn no_token_is_ever_in_the_log() {
    // Gorilla and its libraries log all that they can.
    let replica = Replica::with(&Redis::shared().url(), &[("GORILLA__LOG__LEVEL", "trace")]).await;
    let (api, resource) = (&replica.api, name("privacy"));
    let path = lock_path(&resource);
    let once = [("Idempotency-Key", "once")];
    let body = json!({ "owner": "me", "timeout": 30 });
    let mut tokens = Vec::new();

    let lock = api.acquire_with(&resource, &body, &once).await.json();
    let replayed = api.acquire_with(&resource, &body, &once).await.json();
    assert_eq!(lock["token"], replayed["token"]);
    tokens.push(token(&lock).to_string());
    api.status(&resource, token(&lock)).await;
    api.send(Method::GET, &path, &[("Lock-Token", token(&lock))], None).await;
    for _ in 0..2 {
        // The second request fails: the token is superseded.
        let extended = api.extend(&resource, token(&lock), 60).await.json();
        tokens.extend(extended["token"].as_str().map(String::from));
    }
    let current = tokens.last().expect("a token").clone();
    // These requests fail for every reason there is, with the token in every place where a token can be.
    for (method, path, headers, body) in [
        (Method::PUT, format!("{path}/{current}"), vec![], Some(r#"{"timeout":1}"#)),
        (Method::PUT, format!("{path}/{current}"), vec![], Some(r#"{"timeout":"x"}"#)),
        (Method::PUT, format!("{path}/{current}"), vec![("Content-Type", "text/plain")], Some("x")),
        (Method::PATCH, format!("{path}/{current}"), vec![], None),
        (Method::GET, format!("{path}/{current}/x"), vec![], None),
        (Method::GET, format!("/{current}"), vec![], None),
        (Method::GET, format!("{path}?token={current}"), vec![], None),
        (Method::GET, "/api/v1/locks/other".into(), vec![("Lock-Token", current.as_str())], None),
        (Method::DELETE, "/api/v1/locks/%FF".into(), vec![("Lock-Token", current.as_str())], None),
        (Method::POST, path.clone(), vec![("Lock-Token", current.as_str())], Some(r#"{"owner":"other","timeout":30}"#)),
    ] {
        api.send(method, &path, &headers, body.map(String::from)).await;
    }
    assert_eq!(api.release_with(&resource, &current, &once).await.code(), "idempotency_key_reused");
    assert_eq!(api.release(&resource, &current).await.status, 204);
    let broken = api.granted(&resource, "me", 30).await;
    tokens.push(token(&broken).into());
    api.send(Method::POST, &format!("{path}/break"), &[("X-Request-Id", "the-last")], None).await;

    assert_eq!(tokens.len(), 3);
    eventually("the last request is in the log", Duration::from_secs(5), || async {
        replica.log().lines().any(|line| line.contains("the-last") && line.contains("gorilla::http"))
    })
    .await;
    let log = replica.log();
    for token in &tokens {
        assert!(!log.contains(token), "{token} is in the log");
        assert!(!log.contains(&token.replace('-', "")), "{token} is in the log without its hyphens");
    }
}

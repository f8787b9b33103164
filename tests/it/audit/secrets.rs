//! No secret of a client ever stands in the file, wherever the client wrote it.

use std::fs;

use serde_json::json;

use super::Trail;
use crate::{
    access::everything,
    harness::{AccessFile, Key, Method, Signal, key_entry, lock_path, name, token},
};

#[tokio::test]
async fn keys_tokens_and_idempotency_keys_are_hidden_wherever_a_client_writes_them() {
    let trail = Trail::new();
    let (key, bad) = (Key::new("ops"), Key::new("stranger"));
    let access = AccessFile::new(&(everything("all") + &key_entry("ops", "all", &key, "")));
    let path = access.path();
    let mut replica = trail.replica(&[("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))]).await;
    let api = replica.api.with_key(&key);
    let mut secrets = vec![key.text.clone(), bad.text.clone()];
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();

    for resource in [name("secret"), name("secret-too")] {
        let once = format!("idempotency-key-of-{resource}");
        let everywhere = |secret: &str| {
            ["X-Request-Id", "X-Forwarded-For", "traceparent", "Lock-Token", "User-Agent", "Forwarded"]
                .map(|header| (header, secret.to_string()))
        };
        let mut token = String::new();
        for secret in [&key.text, &bad.text, &once, &encoded(&key.text), &encoded(&once)] {
            let headers = everywhere(secret);
            let mut headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            headers.push(("Idempotency-Key", &once));
            let body = json!({ "owner": format!("by {secret}"), "timeout": 30, "metadata": { "key": secret } });
            let answer = api.acquire_with(&resource, &body, &headers).await;
            if answer.status == 200 {
                token = self::token(&answer.json()).to_string();
            }
        }
        secrets.extend([once, token.clone()]);
        // The token in each header, in the path, and in other forms.
        let simple = token.replace('-', "");
        for secret in [token.clone(), token.to_uppercase(), simple.clone(), encoded(&token)] {
            let headers = everywhere(&secret);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let path = format!("{}/{token}", lock_path(&resource));
            let body = json!({ "timeout": 60, "rotate": false }).to_string();
            let answer = api.send(Method::PUT, &path, &headers, Some(body)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        secrets.extend([simple]);
        let trace = format!("00-{}-00f067aa0ba902b7-01", token.replace('-', ""));
        let headers = [("traceparent", &*trace), ("X-Request-Id", &*token)];
        let batch = json!({ "operations": [{ "op": "release", "resource": resource, "token": token }] });
        // The token is in the body alone.
        assert_eq!(api.batch(&batch, &headers).await.status, 200);
        assert_eq!(api.release_with(&resource, &token, &headers).await.status, 404);
        // A key as the name of a lock, in a reason, and in a query.
        assert_eq!(api.granted(&format!("{resource}-{}", key.text), "me", 30).await["owner"], "me");
        let broken = format!("{resource}-{}", key.text);
        let reason = format!("my key is {} and theirs {}", key.text, bad.text);
        assert_eq!(api.break_lock(&broken, &json!({ "reason": reason }), &[]).await.status, 200);
        let asked = replica.api.get(&format!("{}?access_token={}", lock_path(&resource), key.text)).await;
        assert!([400, 401].contains(&asked.status), "{asked:?}");
        for headers in [
            vec![("Authorization", bad.bearer()), ("X-Request-Id", bad.text.clone())],
            vec![("Authorization", format!("Basic {}", bad.text)), ("X-Forwarded-For", bad.text.clone())],
            vec![("X-Request-Id", key.text.clone())],
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = replica.api.send(Method::GET, &lock_path(&key.text), &headers, None).await;
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }
    replica.process.signal(Signal::INT);
    replica.process.child.wait().expect("it ends");
    let text = fs::read_to_string(trail.file()).expect("the file").to_lowercase();
    for event in ["grant", "extend", "release", "break", "auth_failed"] {
        assert!(text.contains(&format!("\"event\":\"{event}\"")), "{event}: {text}");
    }
    for secret in secrets {
        assert!(secret.len() >= 20, "{secret}");
        for form in [secret.to_lowercase(), encoded(&secret).to_lowercase()] {
            let line = text.lines().find(|line| line.contains(&form));
            assert!(line.is_none(), "{form} stands in {line:?}");
        }
    }
    assert!(!text.contains("metadata"), "{text}");
}

//! The runner as another client, beside the link.

use std::time::Instant;

use gorilla_harness::Api;
use serde_json::{Value, json};

use crate::leases::Leases;

/// What another client does. The answer is `{"status", "body"}`.
pub async fn other(api: &Api, members: &Value, resource: &str, token: Option<&str>, leases: &Leases) -> Value {
    let answer = match members["do"].as_str().unwrap_or_default() {
        "acquire" => {
            let mut body = members.clone();
            if let Some(body) = body.as_object_mut() {
                body.retain(|name, _| !matches!(&**name, "do" | "resource" | "ttl"));
                body.entry("owner").or_insert("other".into());
                body.insert("timeout".into(), members["ttl"].clone());
            }
            api.acquire_with(resource, &body, &[]).await
        }
        "release" => api.release(resource, token.unwrap_or("none")).await,
        "break" => {
            let fence = api.state(resource).await["fence"].clone();
            let mut body = json!({ "fence": fence, "reason": "the scenario says so" });
            if !members["grace"].is_null() {
                body["grace"] = members["grace"].clone();
            }
            api.break_lock(resource, &body, &[]).await
        }
        _ => api.get(&gorilla_harness::lock_path(resource)).await,
    };
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    if let Some(token) = body["token"].as_str() {
        leases.secret(token);
        if body["mode"].is_null() {
            leases.end(resource, Instant::now());
        }
    }
    json!({ "status": answer.status, "body": body })
}

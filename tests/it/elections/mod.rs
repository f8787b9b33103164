//! Elections: the interface, the Rust client and the commands.

mod client;
mod commands;
mod http;
mod watching;

use serde_json::{Value, json};

use crate::harness::{Answer, Api, Method};

/// The path of an election.
fn path(name: &str) -> String {
    format!("/api/v1/elections/{name}")
}

async fn campaign(api: &Api, name: &str, body: &Value) -> Answer {
    api.send(Method::POST, &path(name), &[], Some(body.to_string())).await
}

/// Campaigns, and is elected at once. Returns the leadership.
async fn elected(api: &Api, name: &str, owner: &str, timeout: f64) -> Value {
    let answer = campaign(api, name, &json!({ "owner": owner, "timeout": timeout })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn keep(api: &Api, name: &str, token: &str, body: &Value) -> Answer {
    api.send(Method::PUT, &path(name), &[("Lock-Token", token)], Some(body.to_string())).await
}

async fn resign(api: &Api, name: &str, token: &str) -> Answer {
    api.send(Method::DELETE, &path(name), &[("Lock-Token", token)], None).await
}

/// Who leads, by a request with these parameters.
async fn leader(api: &Api, name: &str, query: &str) -> Value {
    let answer = api.get(&format!("{}{query}", path(name))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

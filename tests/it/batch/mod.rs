//! Many operations in one request: `POST /api/v1/batch`.

mod envelope;
mod faults;
mod order;
mod single;

use serde_json::{Value, json};

use crate::harness::{Answer, Api, name, token};

/// An acquire as an item.
fn acquire(resource: &str) -> Value {
    json!({ "op": "acquire", "resource": resource, "owner": "me", "timeout": 60 })
}

/// An extend that keeps the token, as an item.
fn renewal(resource: &str, token: &str) -> Value {
    json!({ "op": "extend", "resource": resource, "token": token, "timeout": 60, "rotate": false })
}

fn release(resource: &str, token: &str) -> Value {
    json!({ "op": "release", "resource": resource, "token": token })
}

/// What came of a batch that was taken: ok, failed, unknown.
#[track_caller]
fn counts(answer: &Answer) -> [u64; 3] {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    ["ok", "failed", "unknown"].map(|count| body[count].as_u64().expect("a count"))
}

/// What came of each item that the answer tells of.
#[track_caller]
fn results(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["results"].as_array().expect("a list").clone()
}

/// So many locks that this client holds: their names and tokens.
pub async fn held(api: &Api, count: usize) -> Vec<(String, String)> {
    let names: Vec<_> = (0..count).map(|_| name("batch")).collect();
    let items: Vec<_> = names.iter().map(|name| acquire(name)).collect();
    let answer = api.batch(&json!({ "operations": items }), &[]).await;
    assert_eq!(counts(&answer), [count as u64, 0, 0]);
    let results = results(&answer);
    names.into_iter().zip(results).map(|(name, result)| (name, token(&result["body"]).to_string())).collect()
}

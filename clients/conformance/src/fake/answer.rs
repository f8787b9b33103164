//! The answers of a fake, filled in from the request.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{rule::Rule, script::Script};
use crate::{
    leases::{Lease, Leases},
    wire::{Item, On, Operation},
};

/// The fence of the first grant: a number that a single-precision number, and a careless double, would change.
const FIRST_FENCE: u64 = (1 << 52) + 1;

/// The status and the body.
pub fn answer(rule: &Rule, operation: &Operation, script: &mut Script, leases: &Leases) -> (u16, Value) {
    let (status, mut given) = rule.answer.clone().unwrap_or_else(|| match operation.on {
        On::Delete => (204, Value::Null),
        _ => (200, json!({})),
    });
    if let (Some(item), Some(name)) = (operation.items.first(), given["token"].as_str())
        && let (Value::Bool(false), Some(token)) = (&item.body["rotate"], &item.token)
    {
        script.keep_token(name, token);
    }
    name_to_token(&mut given, script);
    if !(200..300).contains(&status) {
        return (status, refusal(status, given));
    }
    let body = match operation.on {
        On::Post if operation.items.len() > 1 => {
            let locks: Vec<_> = operation.items.iter().map(|item| lock(item, &json!({}), script, leases)).collect();
            let ttl = locks.first().map_or(Value::Null, |lock| lock["ttlMs"].clone());
            merged(json!({ "locks": locks, "ttlMs": ttl, "waitedMs": 0 }), given)
        }
        On::Post | On::Put => operation.items.first().map_or(Value::Null, |item| lock(item, &given, script, leases)),
        On::Batch => {
            let results: Vec<_> = operation
                .items
                .iter()
                .enumerate()
                .map(|(index, item)| match item.on {
                    On::Delete => json!({ "index": index, "status": 204 }),
                    _ => json!({ "index": index, "status": 200, "body": lock(item, &json!({}), script, leases) }),
                })
                .collect();
            merged(json!({ "ok": results.len(), "failed": 0, "unknown": 0, "results": results }), given)
        }
        _ => given,
    };
    (status, body)
}

/// A lock as Gorilla tells it to its holder, with members that no client knows.
fn lock(item: &Item, given: &Value, script: &mut Script, leases: &Leases) -> Value {
    let before = leases.of(&item.resource);
    let seconds = &item.body["timeout"];
    let seconds = seconds.as_f64().or_else(|| seconds.as_str()?.parse().ok()).unwrap_or_default();
    let fence = before.as_ref().map_or(FIRST_FENCE, |before| before.fence);
    let Lease { id, token, fence } = match (item.on, before) {
        (On::Put, Some(before)) => before,
        (_, before) => Lease {
            id: Uuid::new_v4().to_string(),
            token: script.token("the first"),
            fence: before.map_or(fence, |before| before.fence + 1),
        },
    };
    let now = "2026-11-23T09:28:30.645Z";
    let lock = json!({
        "id": id, "owner": item.body["owner"].as_str().unwrap_or("owner"), "resource": item.resource, "token": token,
        "timeout": seconds, "metadata": [], "createdAt": now, "updatedAt": now, "expireAt": now, "fence": fence,
        "ttlMs": (seconds * 1000.0) as u64, "colour": { "of": ["a later version"] },
    });
    merged(lock, given.clone())
}

/// A refusal with its code and outcome, and its sentence if the scenario gives none.
fn refusal(status: u16, given: Value) -> Value {
    let outcome = if status == 504 || status == 500 { "unknown" } else { "not_executed" };
    merged(json!({ "errorMessage": format!("The fake says {status}."), "outcome": outcome, "colour": "blue" }), given)
}

fn merged(mut body: Value, given: Value) -> Value {
    if let (Some(body), Value::Object(given)) = (body.as_object_mut(), given) {
        body.extend(given);
    }
    body
}

/// The script calls tokens by names.
fn name_to_token(given: &mut Value, script: &mut Script) {
    let named = |body: &Map<String, Value>| body.get("token").and_then(Value::as_str).map(String::from);
    if let Some(body) = given.as_object_mut()
        && let Some(name) = named(body)
    {
        body.insert("token".into(), script.token(&name).into());
    }
}

//! What the server granted, and until when.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::wire::{Item, On, Operation};

/// The present grant of a resource.
#[derive(Clone, Debug)]
pub struct Lease {
    pub id: String,
    pub token: String,
    pub fence: u64,
    /// The latest moment at which the server may have ended the lease.
    pub ends: Instant,
}

/// A time in which the server let the client hold a resource.
#[derive(Clone, Debug)]
pub struct Span {
    pub resource: String,
    pub from: Instant,
    pub ends: Instant,
}

/// The grants of all resources of a scenario.
#[derive(Default)]
pub struct Leases {
    present: Mutex<BTreeMap<String, Lease>>,
    /// One for each grant and each extend.
    spans: Mutex<Vec<Span>>,
    /// Every token that there was: none of them may be seen anywhere.
    tokens: Mutex<Vec<String>>,
}

impl Leases {
    pub fn of(&self, resource: &str) -> Option<Lease> {
        lock(&self.present).get(resource).cloned()
    }

    pub fn spans(&self) -> Vec<Span> {
        lock(&self.spans).clone()
    }

    pub fn tokens(&self) -> Vec<String> {
        lock(&self.tokens).clone()
    }

    /// Notes what an executed request means, from the body of its answer. `at` is when the lease began at the latest.
    pub fn note(&self, operation: &Operation, body: &Value, at: Instant) {
        for (index, item) in operation.items.iter().enumerate() {
            let body = match (operation.on, &body["locks"]) {
                (On::Batch, _) => match body["results"].as_array() {
                    Some(results) => {
                        let result = results.iter().find(|result| result["index"].as_u64() == Some(index as u64));
                        let Some(result) = result else { continue };
                        if !result["status"].as_u64().is_some_and(|status| (200..300).contains(&status)) {
                            continue;
                        }
                        &result["body"]
                    }
                    None => continue,
                },
                (On::Post, Value::Array(locks)) => locks.get(index).unwrap_or(&Value::Null),
                _ => body,
            };
            self.note_item(item, body, at);
        }
    }

    fn note_item(&self, item: &Item, body: &Value, at: Instant) {
        if item.on == On::Delete {
            self.end(&item.resource, at);
            return;
        }
        let text = |member: &str| body[member].as_str().unwrap_or_default().to_string();
        let (Some(ttl), Some(fence)) = (body["ttlMs"].as_u64(), body["fence"].as_u64()) else { return };
        let ends = at + Duration::from_millis(ttl);
        let lease = Lease { id: text("id"), token: text("token"), fence, ends };
        lock(&self.tokens).push(lease.token.clone());
        lock(&self.spans).push(Span { resource: item.resource.clone(), from: at, ends });
        let mut present = lock(&self.present);
        // Those who share a lock end at different times: the runner knows only until when one of them holds it.
        let is_shared = body["mode"] == "shared";
        match present.get(&item.resource) {
            Some(before) if is_shared && before.ends > lease.ends => {}
            _ => drop(present.insert(item.resource.clone(), lease)),
        }
    }

    /// Nobody holds the resource from that moment on, or another client does.
    pub fn end(&self, resource: &str, at: Instant) {
        if let Some(lease) = lock(&self.present).get_mut(resource) {
            lease.ends = lease.ends.min(at);
        }
        for span in lock(&self.spans).iter_mut().filter(|span| span.resource == resource) {
            span.ends = span.ends.min(at);
        }
    }

    /// A token that is to be kept secret too.
    pub fn secret(&self, token: &str) {
        lock(&self.tokens).push(token.into());
    }
}

/// Nobody panics while holding these, and what they hold is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

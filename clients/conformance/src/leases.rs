//! What the server granted, and until when.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::wire::{Item, On, Operation};

/// The last grant of a resource.
#[derive(Clone, Debug)]
pub struct Lease {
    pub id: String,
    pub token: String,
    pub fence: u64,
}

/// A time in which the server let the client hold a resource.
#[derive(Clone, Debug)]
pub struct Span {
    pub resource: String,
    /// Which grant it was.
    fence: u64,
    pub from: Instant,
    /// When the lease would have ended by itself.
    pub due: Instant,
    /// When it ended.
    pub ends: Instant,
}

/// The grants of all resources of a scenario.
#[derive(Default)]
pub struct Leases {
    last: Mutex<BTreeMap<String, Lease>>,
    /// One for each grant and each extend.
    spans: Mutex<Vec<Span>>,
    /// Every token that there was, none of which may be seen anywhere, and its grant.
    tokens: Mutex<BTreeMap<String, Option<u64>>>,
}

impl Leases {
    pub fn of(&self, resource: &str) -> Option<Lease> {
        lock(&self.last).get(resource).cloned()
    }

    pub fn spans(&self) -> Vec<Span> {
        lock(&self.spans).clone()
    }

    pub fn tokens(&self) -> Vec<String> {
        lock(&self.tokens).keys().cloned().collect()
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
            self.end_item(item, at);
            return;
        }
        let text = |member: &str| body[member].as_str().unwrap_or_default().to_string();
        let (Some(ttl), Some(fence)) = (body["ttlMs"].as_u64(), body["fence"].as_u64()) else { return };
        let ends = at + Duration::from_millis(ttl);
        let lease = Lease { id: text("id"), token: text("token"), fence };
        lock(&self.tokens).insert(lease.token.clone(), Some(fence));
        lock(&self.spans).push(Span { resource: item.resource.clone(), fence, from: at, due: ends, ends });
        lock(&self.last).insert(item.resource.clone(), lease);
    }

    /// Nobody holds the resource from that moment on, or another client does.
    pub fn end(&self, resource: &str, at: Instant) {
        self.end_where(at, |span| span.resource == resource);
    }

    /// The grant of this token ends. Others may share the resource.
    pub fn end_item(&self, item: &Item, at: Instant) {
        let fence = item.token.as_ref().and_then(|token| lock(&self.tokens).get(token).copied().flatten());
        self.end_where(at, |span| span.resource == item.resource && Some(span.fence) == fence);
    }

    fn end_where(&self, at: Instant, is: impl Fn(&Span) -> bool) {
        lock(&self.spans).iter_mut().filter(|span| is(span)).for_each(|span| span.ends = span.ends.min(at));
    }

    /// A token that is to be kept secret too.
    pub fn secret(&self, token: &str) {
        lock(&self.tokens).entry(token.into()).or_default();
    }
}

/// Nobody panics while holding these, and what they hold is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

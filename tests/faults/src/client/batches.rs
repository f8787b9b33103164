//! Many uses of tokens in one request.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Client, Held, RETRIES,
    requests::{PATIENCE, is_known},
    wishes,
};
use crate::history::{Batch, End, Event, Grant, Item, ItemResult, Kind, Moment, Use};

/// An item, as the client sends it.
#[derive(Clone)]
struct Sent {
    item: Item,
    token: String,
    body: Value,
    /// The length of the lease that an extend asks for.
    lease: Moment,
}

impl Client {
    /// Renews the leases of all locks in one request, at times without new tokens; whether all are renewed. Locks that are
    /// not, are lost.
    pub(super) async fn renew(&mut self, held: &mut Vec<Held>) -> bool {
        let before = held.len();
        *held = self.batch(std::mem::take(held), Kind::Extend).await;
        held.len() == before
    }

    /// Extends or releases all locks in one request, and has it try tokens that are dead beside them. Returns the locks that
    /// are still held.
    pub(super) async fn batch(&mut self, mut held: Vec<Held>, kind: Kind) -> Vec<Held> {
        let key = self.random.u32(..3) == 0;
        let key = key.then(|| format!("k{}", self.world.number()));
        let keeps = kind == Kind::Extend && self.random.bool();
        // What is left out of a brief answer can't be told from a copy's answer: so only where nothing is sent again.
        let brief = key.is_none() && (keeps || kind == Kind::Release) && self.random.bool();
        let mut items: Vec<Sent> = Vec::new();
        for one in &held {
            items.push(self.item(kind, one, keeps));
            if key.is_none() && self.one_in(4) {
                // A second use of one token: the first is done before.
                let again = if kind == Kind::Release { Kind::Extend } else { Kind::Release };
                if again == Kind::Extend {
                    items.push(self.item(again, one, true));
                } else if !keeps {
                    items.push(self.item(again, one, false));
                }
            }
        }
        if key.is_none() && self.one_in(3) && !self.stale.is_empty() {
            let index = self.random.usize(..self.stale.len());
            let (resource, fence, token) = self.stale.swap_remove(index);
            let item = self.sent(Kind::Release, resource, fence, token, false, 0);
            items.insert(self.random.usize(..=items.len()), item);
        }
        let mut pending = items;
        let mut attempt = 0;
        let mut ended: Vec<(Item, End, Option<String>, Moment)> = Vec::new();
        loop {
            let asked = self.world.now();
            let ends = self.send_batch(&pending, key.as_deref(), brief).await;
            attempt += 1;
            let mut again = Vec::new();
            for (sent, (end, new)) in pending.into_iter().zip(ends) {
                let is_open = match end {
                    End::Unknown => key.is_some(),
                    End::NotExecuted => true,
                    _ => false,
                };
                if is_open && attempt <= RETRIES {
                    again.push(sent);
                } else {
                    ended.push((sent.item, end, new, asked));
                }
            }
            pending = again;
            if pending.is_empty() {
                break;
            }
            sleep(Duration::from_millis(self.random.u64(20..200))).await;
        }
        self.after(&mut held, ended, kind);
        held
    }

    /// What is still held after a batch, and which tokens are dead.
    fn after(&mut self, held: &mut Vec<Held>, ended: Vec<(Item, End, Option<String>, Moment)>, kind: Kind) {
        held.retain_mut(|one| {
            let token = self.world.token(&one.token);
            let own = |(item, ..): &&(Item, _, _, _)| item.kind == kind && item.token == token;
            let Some((_, end, new, asked)) = ended.iter().find(own) else {
                return false;
            };
            let (resource, fence) = (one.asked.resource.clone(), one.grant.fence);
            match (kind, end) {
                (Kind::Extend, End::Done(grant)) => {
                    if let Some(new) = new.as_ref().filter(|new| **new != one.token) {
                        self.stale.push((resource, fence, std::mem::replace(&mut one.token, new.clone())));
                    }
                    one.valid_until = one.valid_until.max(asked + grant.ttl);
                    true
                }
                (Kind::Release, End::NotExecuted) | (Kind::Extend, _) => false,
                _ => {
                    self.stale.push((resource, fence, one.token.clone()));
                    false
                }
            }
        });
    }

    fn item(&self, kind: Kind, held: &Held, keeps: bool) -> Sent {
        let (resource, fence) = (held.asked.resource.clone(), held.grant.fence);
        self.sent(kind, resource, fence, held.token.clone(), keeps, held.asked.lease)
    }

    fn sent(&self, kind: Kind, resource: String, fence: u64, token: String, keeps: bool, lease: u64) -> Sent {
        let mut body = json!({ "op": "release", "resource": resource, "token": token });
        if kind == Kind::Extend {
            body["op"] = "extend".into();
            body["timeout"] = wishes::lease(lease)["timeout"].clone();
            if keeps {
                body["rotate"] = false.into();
            }
        }
        let item = Item { resource, kind, fence, token: self.world.token(&token), keeps };
        Sent { item, token, body, lease: lease * 1_000_000 }
    }

    /// Sends a batch once, and notes what it says of each item; how each item ended, with the token of a success.
    async fn send_batch(&mut self, items: &[Sent], key: Option<&str>, brief: bool) -> Vec<(End, Option<String>)> {
        let Some(api) = self.world.any_of_this_version(&mut self.random) else {
            return items.iter().map(|_| (End::NotExecuted, None)).collect();
        };
        let operations: Vec<_> = items.iter().map(|sent| sent.body.clone()).collect();
        let body = json!({ "operations": operations, "brief": brief });
        let asked = self.world.now();
        let request = ("batch", Method::POST, "/api/v1/batch");
        let answer = self.send_to(&api, request, key, Some(body), PATIENCE).await;
        let answered = self.world.now();
        let facts = answer.as_ref().map(gorilla_harness::Answer::json);
        let results = facts.as_ref().and_then(|facts| facts["results"].as_array());
        let mut ends = Vec::new();
        for (index, sent) in items.iter().enumerate() {
            let of_item = |result: &&Value| result["index"] == index;
            let result = results.and_then(|results| results.iter().find(of_item));
            ends.push(match (&answer, result) {
                (_, Some(result)) => self.end(status(result), &result["body"]),
                // A success that is left out.
                (Some(answer), None) if answer.status == 200 && brief => {
                    let (fence, token, ttl) = (sent.item.fence, sent.item.token, sent.lease);
                    match sent.item.kind {
                        Kind::Release => (End::Done(Grant::default()), None),
                        _ => (End::Done(Grant { fence, token, ttl, part: None }), Some(sent.token.clone())),
                    }
                }
                (Some(answer), None) if answer.status != 200 && is_known(answer.status, &answer.json()) => {
                    (End::NotExecuted, None)
                }
                _ => (End::Unknown, None),
            });
        }
        if let Some((facts, results)) = facts.as_ref().zip(results) {
            let counts = ["ok", "failed", "unknown"].map(|name| facts[name].as_u64().unwrap_or(u64::MAX));
            let items = items.iter().map(|sent| sent.item.clone()).collect();
            let results = results.iter().map(|result| self.result(result)).collect();
            self.world.note(Event::Batch(Batch { asked, answered, brief, items, counts, results }));
        }
        for (sent, (end, _)) in items.iter().zip(&ends) {
            let Item { resource, kind, fence, token, .. } = sent.item.clone();
            let (key, answered, end) = (key.map(String::from), facts.as_ref().map(|_| answered), *end);
            self.world.note(Event::Use(Use { resource, fence, token, key, asked, answered, kind, end }));
        }
        ends
    }

    fn result(&self, result: &Value) -> ItemResult {
        let body = &result["body"];
        ItemResult {
            index: result["index"].as_u64().unwrap_or(u64::MAX),
            end: self.end(status(result), body).0,
            unknown: body["outcome"] == "unknown",
            resource: body["resource"].as_str().map(String::from),
        }
    }
}

fn status(result: &Value) -> u16 {
    result["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or_default()
}

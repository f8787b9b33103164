//! The model: what the service promises, without Redis, replicas or races. It learns what the service chooses (ids,
//! tokens, fences, times) from the answers and checks everything else.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::step::{Act, Step};
use crate::harness::Answer;

/// Redis counts milliseconds, and rounds.
const ROUNDING: Duration = Duration::from_millis(2);

#[derive(Default)]
pub struct Oracle {
    resources: HashMap<String, Resource>,
}

#[derive(Default)]
struct Resource {
    held: Option<Grant>,
    highest_fence: u64,
    /// All tokens that were ever valid, the latest last.
    tokens: Vec<String>,
    /// By Idempotency-Key: what succeeded under it.
    records: HashMap<String, Record>,
}

/// The lock as its holder was told.
#[derive(Clone)]
pub struct Grant {
    pub token: String,
    pub fence: u64,
    id: Value,
    owner: Value,
    metadata: Value,
    created: Value,
    lease: Duration,
    /// The lease began between these.
    sent: Instant,
    answered: Instant,
}

#[derive(Clone)]
struct Record {
    act: Act,
    /// As it was then.
    grant: Grant,
}

/// One answer with the moments around it.
struct Told<'a> {
    body: Value,
    answer: &'a Answer,
    sent: Instant,
    answered: Instant,
}

impl Oracle {
    /// The lock that stands.
    pub fn current(&self, resource: &str) -> Option<&Grant> {
        self.resources.get(resource)?.held.as_ref()
    }

    /// All tokens of a resource that were ever valid.
    pub fn tokens(&self, resource: &str) -> &[String] {
        self.resources.get(resource).map_or(&[], |resource| &resource.tokens)
    }

    /// The outcome of a step.
    pub fn expects(&self, step: &Step) -> &'static str {
        let held = self.current(&step.resource);
        let record = self.resources.get(&step.resource).zip(step.key.as_ref());
        if let Some(record) = record.and_then(|(resource, key)| resource.records.get(key)) {
            let stands = held.is_some_and(|held| held.id == record.grant.id);
            return match &step.act {
                act if *act != record.act => "idempotency_key_reused",
                Act::Acquire { .. } | Act::Extend { .. } if !stands => "lock_gone",
                _ => "replayed",
            };
        }
        match (&step.act, held) {
            (Act::Acquire { .. }, None) => "done",
            (Act::Acquire { .. }, Some(_)) => "lock_held",
            (Act::State, Some(_)) => "held",
            (Act::State, None) => "free",
            (Act::AwaitEnd, _) => "ended",
            (Act::Extend { .. } | Act::Release { .. } | Act::Break { .. } | Act::Status { .. }, None) => {
                "lock_not_found"
            }
            (Act::Extend { token, .. }, Some(held)) if *token != held.token => "token_mismatch",
            (Act::Extend { lease, .. }, Some(held)) if *lease < held.lease => "timeout_shorter",
            (Act::Release { token } | Act::Status { token }, Some(held)) if *token != held.token => "token_not_found",
            (Act::Break { fence: Some(fence) }, Some(held)) if *fence != held.fence => "fence_changed",
            (Act::Extend { .. } | Act::Release { .. } | Act::Break { .. } | Act::Status { .. }, Some(_)) => "done",
        }
    }

    /// Checks the facts of an answer that has the expected outcome, and takes over what it changes.
    pub fn learn(&mut self, step: &Step, outcome: &str, sent: Instant, answer: &Answer) -> Result<(), String> {
        let body = if answer.text.is_empty() { Value::Null } else { answer.json() };
        let told = Told { body, answer, sent, answered: Instant::now() };
        let resource = self.resources.entry(step.resource.clone()).or_default();
        let record = step.key.as_ref().and_then(|key| resource.records.get(key));
        if outcome == "replayed" {
            let record = record.ok_or("nothing to replay")?;
            return match record.act {
                Act::Release { .. } => Ok(()),
                Act::Break { .. } => told.tells_what_ended(&record.grant),
                // It says nothing of the metadata, so the answer has what the lock has now.
                Act::Extend { metadata: None, .. } => {
                    let held = resource.held.as_ref().ok_or("nothing to extend")?;
                    told.tells_the_lock(&Grant { metadata: held.metadata.clone(), ..record.grant.clone() })
                }
                _ => told.tells_the_lock(&record.grant),
            };
        }
        if let (Act::Acquire { owner, lease, metadata }, "done") = (&step.act, outcome) {
            let grant = told.new_grant(json!(owner), metadata.clone(), *lease)?;
            if grant.fence <= resource.highest_fence {
                return Err(format!("the fence {} follows {}", grant.fence, resource.highest_fence));
            }
            resource.highest_fence = grant.fence;
            return resource.renewed(step, grant);
        }
        let Some(held) = resource.held.clone() else { return Ok(()) };
        match (&step.act, outcome) {
            (Act::Extend { lease, metadata, .. }, "done") => {
                let metadata = match metadata {
                    Some(Value::Null) => json!([]),
                    Some(metadata) => metadata.clone(),
                    None => held.metadata.clone(),
                };
                let grant = told.new_grant(held.owner.clone(), metadata, *lease)?;
                if (&grant.id, &grant.created, grant.fence) != (&held.id, &held.created, held.fence) {
                    return Err("an extend began another tenure".into());
                }
                return resource.renewed(step, grant);
            }
            (Act::Status { .. }, "done") => return told.tells_the_lock(&held),
            (_, "lock_held" | "token_mismatch" | "fence_changed" | "held") => return told.tells_the_holder(&held),
            (_, "timeout_shorter") => return told.tells_the_time(&held),
            (Act::Break { .. }, "done") => told.tells_what_ended(&held)?,
            (Act::AwaitEnd, _) if told.answered - held.sent + ROUNDING < held.lease => {
                return Err("a lease ended early".into());
            }
            (Act::Release { .. }, "done") | (Act::AwaitEnd, _) => {}
            _ => return Ok(()),
        }
        resource.held = None;
        resource.remember(step, held);
        Ok(())
    }
}

impl Resource {
    fn renewed(&mut self, step: &Step, grant: Grant) -> Result<(), String> {
        if let Act::Extend { token, rotate: Some(false), .. } = &step.act {
            if *token != grant.token {
                return Err("an extend that keeps the token replaced it".into());
            }
        } else if self.tokens.contains(&grant.token) {
            return Err("a token was given twice".into());
        } else {
            self.tokens.push(grant.token.clone());
        }
        self.remember(step, grant.clone());
        self.held = Some(grant);
        Ok(())
    }

    fn remember(&mut self, step: &Step, grant: Grant) {
        if let Some(key) = &step.key {
            self.records.insert(key.clone(), Record { act: step.act.clone(), grant });
        }
    }
}

impl Told<'_> {
    /// A lease that begins with this answer.
    fn new_grant(&self, owner: Value, metadata: Value, lease: Duration) -> Result<Grant, String> {
        let (token, fence) = (self.body["token"].as_str(), self.body["fence"].as_u64());
        let (token, fence) = token.map(String::from).zip(fence).ok_or("no token or no fence")?;
        let (id, created) = (self.body["id"].clone(), self.body["createdAt"].clone());
        let (sent, answered) = (self.sent, self.answered);
        let grant = Grant { token, fence, id, owner, metadata, created, lease, sent, answered };
        let whole = json!({ "timeout": self.body["timeout"].as_f64(), "ttlMs": self.body["ttlMs"] });
        expect(&whole, &json!({ "timeout": lease.as_secs_f64(), "ttlMs": lease.as_millis() as u64 }))?;
        self.tells_the_lock(&grant)?;
        Ok(grant)
    }

    /// All that a holder is told.
    fn tells_the_lock(&self, grant: &Grant) -> Result<(), String> {
        let Grant { token, fence, id, owner, metadata, created, .. } = grant;
        expect(
            &self.body,
            &json!({ "id": id, "owner": owner, "token": token, "fence": fence, "metadata": metadata, "createdAt": created }),
        )?;
        self.tells_the_time(grant)
    }

    /// What others are told.
    fn tells_the_holder(&self, grant: &Grant) -> Result<(), String> {
        expect(&self.body, &json!({ "owner": grant.owner, "fence": grant.fence }))?;
        if self.answer.text.contains(&grant.token) {
            return Err("the token is told to others".into());
        }
        self.tells_the_time(grant)
    }

    fn tells_what_ended(&self, grant: &Grant) -> Result<(), String> {
        expect(&self.body, &json!({ "id": grant.id, "owner": grant.owner, "fence": grant.fence }))
    }

    fn tells_the_time(&self, grant: &Grant) -> Result<(), String> {
        let ttl = self.body["ttlMs"].as_u64().map(Duration::from_millis).ok_or("no ttlMs")?;
        let least = grant.lease.saturating_sub(self.answered - grant.sent + ROUNDING);
        let most = (grant.lease + ROUNDING).saturating_sub(self.sent.saturating_duration_since(grant.answered));
        let fits = (least..=most).contains(&ttl);
        fits.then_some(()).ok_or_else(|| format!("{ttl:?} remain, not {least:?} to {most:?}"))
    }
}

/// Asserts that a body has at least these members.
fn expect(body: &Value, members: &Value) -> Result<(), String> {
    let members = members.as_object().into_iter().flatten();
    let wrong = members
        .filter(|(name, value)| body[name.as_str()] != **value)
        .map(|(name, value)| format!("{name} is not {value}"));
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
}

//! The requests of a client, and what the history gets of them.

use std::time::Duration;

use gorilla_harness::{Answer, Api, lock_path};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    Asked, Client, Held, RETRIES,
    wishes::{lease, want},
};
use crate::history::{Acquire, Break, End, Event, Grant, Kind, Part, Pin, Use};

/// The owners of sets begin with this.
pub(super) const OF_SET: &str = "set-";
/// How long a client waits for an answer beyond the time that it lets the lock service wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

impl Client {
    /// Sends an acquire; whether the outcome is known, and what is held if it was granted.
    pub(super) async fn ask(&mut self, request: &Asked, hangs_up: Option<Duration>) -> (bool, Option<Held>) {
        let Asked { resource, owner, key, lease: milliseconds, wait, share } = request.clone();
        let mut body = lease(milliseconds);
        body["owner"] = owner.clone().into();
        if share.is_some() {
            want(&mut body, share);
        }
        if wait > 0 {
            body["wait"] = (wait as f64 / 1000.0).into();
        }
        // To campaign for an election is to take the lock.
        let campaigns = share.is_none() && self.one_in(3);
        let path = lock_path(&resource);
        let (asked, path) = (self.world.now(), if campaigns { path.replace("/locks/", "/elections/") } else { path });
        let what = if campaigns { "campaign" } else { "acquire" };
        let answer = match hangs_up {
            Some(after) => {
                let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", key.as_str())).collect();
                self.world.any(&mut self.random).abandoned(&path, &headers, &body.to_string(), after).await
            }
            None => {
                let patience = PATIENCE + Duration::from_millis(wait);
                self.send(what, Method::POST, &path, key.as_deref(), Some(body), patience).await
            }
        };
        let mut acquire = Acquire { resource, owner, waits: wait > 0, key, asked, ..Acquire::default() };
        let (mut held, mut breaks) = (None, false);
        if let Some(answer) = answer {
            acquire.answered = Some(self.world.now());
            acquire.known = is_known(answer.status, &answer.json());
            if answer.status == 200 {
                let (grant, token) = self.grant(&answer.json());
                acquire.grant = Some(grant);
                let valid_until = asked + grant.ttl;
                held = Some(Held { asked: request.clone(), grant, token, valid_until });
            } else {
                // A client that does not get the lock is told which grant holds it.
                let facts = answer.json();
                acquire.held_by = facts["fence"].as_u64();
                breaks = self.breaks(&facts);
            }
        }
        let (known, held_by) = (acquire.known, acquire.held_by);
        self.world.note(Event::Acquire(acquire));
        if let Some(fence) = held_by.filter(|_| breaks) {
            self.break_grant(&request.resource, fence).await;
        }
        (known, held)
    }

    /// The grant that the JSON of a lock tells, and its token.
    pub(super) fn grant(&self, facts: &Value) -> (Grant, String) {
        let (fence, token, ttl) = (facts["fence"].as_u64(), facts["token"].as_str(), facts["ttlMs"].as_u64());
        let (Some(fence), Some(token), Some(ttl)) = (fence, token, ttl) else { panic!("{facts} is not a lock") };
        let part = facts["permits"].as_u64().zip(facts["floor"].as_u64());
        let part = part.map(|(permits, floor)| Part { permits, limit: facts["limit"].as_u64(), floor });
        (Grant { fence, token: self.world.token(token), ttl: ttl * 1_000_000, part }, token.into())
    }

    /// Whether it breaks the grant that a refusal tells of. What belongs to a set is broken more often, because the set may
    /// not be complete yet.
    pub(super) fn breaks(&mut self, refusal: &Value) -> bool {
        let is_of_set = refusal["owner"].as_str().is_some_and(|owner| owner.starts_with(OF_SET));
        self.one_in(if is_of_set { 20 } else { 60 })
    }

    /// Breaks the grant with a fence, whoever has it.
    pub(super) async fn break_grant(&mut self, resource: &str, fence: u64) {
        let key = self.random.bool().then(|| format!("k{}", self.world.number()));
        let api = self.world.any(&mut self.random);
        self.send_break(&api, resource, fence, key.as_deref()).await;
    }

    /// Sends a break, and notes it.
    pub(super) async fn send_break(&self, api: &Api, resource: &str, fence: u64, key: Option<&str>) {
        let asked = self.world.now();
        let (path, body) = (format!("{}/break", lock_path(resource)), json!({ "fence": fence, "reason": "a try" }));
        let answer = self.send_to(api, ("break", Method::POST, &path), key, Some(body), PATIENCE).await;
        let done = answer.filter(|answer| answer.status == 200).map(|_| self.world.now());
        self.world.note(Event::Break(Break { resource: resource.into(), fence, asked, done }));
    }

    /// Pins the limit of a resource, or unpins it.
    pub(super) async fn pin(&mut self, resource: &str) {
        let asked = self.world.now();
        let limit = (self.random.u32(..3) > 0).then(|| self.random.u64(2..=4));
        let (method, body) = match limit {
            Some(limit) => (Method::PUT, Some(json!({ "limit": limit }))),
            None => (Method::DELETE, None),
        };
        let path = lock_path(resource).replace("/locks/", "/limits/");
        let answer = self.send("pin", method, &path, None, body, PATIENCE).await;
        let done = answer.filter(|answer| matches!(answer.status, 200 | 204)).map(|_| self.world.now());
        self.world.note(Event::Pin(Pin { resource: resource.into(), limit, asked, done }));
    }

    /// Sends a token, with a key in half of the cases, and then until the outcome is known. At times a copy is on its way
    /// that arrives after the answer.
    pub(super) async fn use_token(
        &mut self,
        kind: Kind,
        resource: &str,
        fence: u64,
        token: &str,
        body: Option<Value>,
    ) -> (End, Option<String>) {
        let key = self.random.bool().then(|| format!("k{}", self.world.number()));
        let mut attempt = 0;
        loop {
            let (end, new) = self.use_token_once(kind, resource, fence, token, key.as_deref(), body.clone()).await;
            attempt += 1;
            let again = match end {
                End::Unknown => key.is_some(),
                End::NotExecuted => true,
                _ => false,
            };
            if !again || attempt > RETRIES {
                if matches!(end, End::Done(_)) && key.is_some() && self.one_in(8) {
                    self.use_token_once(kind, resource, fence, token, key.as_deref(), body).await;
                }
                return (end, new);
            }
            sleep(Duration::from_millis(self.random.u64(20..200))).await;
        }
    }

    async fn use_token_once(
        &mut self,
        kind: Kind,
        resource: &str,
        fence: u64,
        token: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> (End, Option<String>) {
        let (what, method) = match kind {
            Kind::Extend => ("extend", Method::PUT),
            Kind::Convert => ("convert", Method::PUT),
            Kind::Release => ("release", Method::DELETE),
        };
        let (asked, path) = (self.world.now(), format!("{}/{token}", lock_path(resource)));
        let answer = self.send(what, method, &path, key, body, PATIENCE).await;
        let (end, new) = match &answer {
            Some(answer) if answer.status == 204 => (End::Done(Grant::default()), None),
            Some(answer) => self.end(answer.status, &answer.json()),
            None => (End::Unknown, None),
        };
        let (token, answered) = (self.world.token(token), answer.map(|_| self.world.now()));
        let (resource, key) = (resource.into(), key.map(String::from));
        self.world.note(Event::Use(Use { resource, fence, token, key, asked, answered, kind, end }));
        (end, new)
    }

    /// What an answer to the use of a token says of it, and the token of a success.
    pub(super) fn end(&self, status: u16, facts: &Value) -> (End, Option<String>) {
        let end = match status {
            200 => {
                let (grant, token) = self.grant(facts);
                return (End::Done(grant), Some(token));
            }
            204 => End::Done(Grant::default()),
            404 | 409 => match facts["code"].as_str() {
                Some("lock_held" | "limit_mismatch" | "timeout_shorter") => End::Declined,
                _ => End::Refused,
            },
            _ if is_known(status, facts) => End::NotExecuted,
            _ => End::Unknown,
        };
        (end, None)
    }

    async fn send(
        &mut self,
        what: &'static str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
        patience: Duration,
    ) -> Option<Answer> {
        let api = self.world.any(&mut self.random);
        self.send_to(&api, (what, method, path), key, body, patience).await
    }

    pub(super) async fn send_to(
        &self,
        api: &Api,
        (what, method, path): (&'static str, Method, &str),
        key: Option<&str>,
        body: Option<Value>,
        patience: Duration,
    ) -> Option<Answer> {
        let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", *key)).collect();
        let sent = api.try_send(method, path, &headers, body.map(|body| body.to_string()));
        let answer = timeout(patience, sent).await.ok()?.ok();
        let said = match &answer {
            None => "connection failed".into(),
            Some(answer) => match serde_json::from_str::<Value>(&answer.text).unwrap_or_default()["code"].as_str() {
                Some(code) => format!("{} {code}", answer.status),
                None => answer.status.to_string(),
            },
        };
        self.world.answered(what, said);
        answer
    }
}

/// Whether an answer tells what became of the request.
pub(super) fn is_known(status: u16, facts: &Value) -> bool {
    status < 500 || facts["outcome"] == "not_executed"
}

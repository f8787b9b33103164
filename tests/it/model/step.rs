//! One operation: how it is chosen, sent and answered.

use std::time::Duration;

use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::oracle::Oracle;
use crate::harness::{Answer, Api, lock_path};

/// Leases are this short, and then their end is awaited …
const SHORT: Duration = Duration::from_millis(100);
/// … or multiples of this, which is more than a run lasts. So which of two ends later is never in doubt.
const LONG: Duration = Duration::from_secs(100);

/// An operation on a resource.
#[derive(Clone, Debug)]
pub struct Step {
    pub resource: String,
    pub key: Option<String>,
    pub act: Act,
}

/// What is asked for. Under one Idempotency-Key equal acts are the same request.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Acquire {
        owner: &'static str,
        lease: Duration,
        metadata: Value,
    },
    Extend {
        token: String,
        lease: Duration,
    },
    Release {
        token: String,
    },
    Break {
        fence: Option<u64>,
    },
    Status {
        token: String,
    },
    State,
    /// Ask for the state until the lock is free.
    AwaitEnd,
}

impl Step {
    pub fn name(&self) -> &'static str {
        match self.act {
            Act::Acquire { .. } => "acquire",
            Act::Extend { .. } => "extend",
            Act::Release { .. } => "release",
            Act::Break { .. } => "break",
            Act::Status { .. } => "status",
            Act::State => "state",
            Act::AwaitEnd => "await",
        }
    }

    pub async fn send(&self, api: &Api) -> Answer {
        let path = lock_path(&self.resource);
        let (method, path, body) = match &self.act {
            Act::Acquire { owner, lease, metadata } => {
                let body = json!({ "owner": owner, "timeout": lease.as_secs_f64(), "metadata": metadata });
                (Method::POST, path, Some(body))
            }
            Act::Extend { token, lease } => {
                (Method::PUT, format!("{path}/{token}"), Some(json!({ "timeout": lease.as_secs_f64() })))
            }
            Act::Release { token } => (Method::DELETE, format!("{path}/{token}"), None),
            Act::Break { fence } => (Method::POST, format!("{path}/break"), Some(json!({ "fence": fence }))),
            Act::Status { token } => (Method::GET, format!("{path}/{token}"), None),
            Act::State => (Method::GET, path, None),
            Act::AwaitEnd => return self.await_end(api).await,
        };
        let headers: Vec<_> = self.key.iter().map(|key| ("Idempotency-Key", key.as_str())).collect();
        api.send(method, &path, &headers, body.map(|body| body.to_string())).await
    }

    async fn await_end(&self, api: &Api) -> Answer {
        for _ in 0..400 {
            let answer = api.get(&lock_path(&self.resource)).await;
            if answer.status != 200 || answer.json()["held"] != true {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} is held for long after its lease", self.resource);
    }

    /// The name of what an answer says; a status that doesn't belong to its code has none.
    pub fn outcome(&self, answer: &Answer) -> String {
        let replayed = answer.header("idempotent-replay") == Some("true");
        let code = if answer.text.is_empty() { String::new() } else { answer.code() };
        let known = match (answer.status, code.as_str(), &self.act) {
            (200, "", Act::State | Act::AwaitEnd) => match (self.name(), answer.json()["held"].as_bool()) {
                ("state", Some(true)) => "held",
                ("state", Some(false)) => "free",
                ("await", Some(false)) => "ended",
                _ => "an answer without held",
            },
            (204, "", Act::Release { .. }) if replayed => "replayed",
            (204, "", Act::Release { .. }) => "done",
            (200, "", Act::Release { .. }) => "200 for a release",
            (200, "", _) if replayed => "replayed",
            (200, "", _) => "done",
            (409, "lock_held" | "lock_gone" | "token_mismatch" | "timeout_shorter" | "fence_changed", _)
            | (404, "lock_not_found" | "token_not_found", _)
            | (422, "idempotency_key_reused", _) => &code,
            _ => return format!("{} {code}", answer.status),
        };
        known.to_string()
    }
}

/// Chooses steps so that every outcome comes up often.
pub struct Generator {
    resources: Vec<String>,
    /// Those that had a key, to be sent again.
    keyed: Vec<Step>,
    /// Follows a short lease.
    must_follow: Option<Step>,
}

impl Generator {
    pub fn new(resources: Vec<String>) -> Self {
        Self { resources, keyed: Vec::new(), must_follow: None }
    }

    pub fn next(&mut self, rng: &mut Rng, oracle: &Oracle) -> Step {
        if let Some(step) = self.must_follow.take() {
            return step;
        }
        // Mostly one of the last: the earlier ones are long gone.
        let again = self.keyed.iter().rev().nth(rng.usize(0..12)).filter(|_| rng.u8(0..6) == 0).cloned();
        let step = again.unwrap_or_else(|| self.fresh(rng, oracle));
        if let Act::Acquire { lease: SHORT, .. } = step.act
            && ["done", "replayed"].contains(&oracle.expects(&step))
        {
            self.must_follow = Some(Step { key: None, act: Act::AwaitEnd, ..step.clone() });
        }
        if step.key.is_some() {
            self.keyed.push(step.clone());
        }
        step
    }

    fn fresh(&self, rng: &mut Rng, oracle: &Oracle) -> Step {
        let resource = self.resources[rng.usize(0..self.resources.len())].clone();
        let act = match rng.u8(0..100) {
            0..35 => Act::Acquire {
                owner: ["ann", "bob", "cy"][rng.usize(0..3)],
                lease: if rng.u8(0..40) == 0 { SHORT } else { long(rng) },
                metadata: [json!([]), json!(["a", { "b": 1 }])][rng.usize(0..2)].clone(),
            },
            35..60 => Act::Extend { token: token(rng, oracle, &resource), lease: long(rng) },
            60..75 => Act::Release { token: token(rng, oracle, &resource) },
            75..84 => {
                let stands = oracle.current(&resource).map(|grant| grant.fence);
                Act::Break { fence: [None, stands, Some(rng.u64(1..1 << 53))][rng.usize(0..3)] }
            }
            84..93 => Act::Status { token: token(rng, oracle, &resource) },
            _ => Act::State,
        };
        let reads = matches!(act, Act::Status { .. } | Act::State);
        let key = (!reads && rng.u8(0..3) == 0).then(|| self.key(rng));
        Step { resource, key, act }
    }

    /// A key that is new, or one that came with something else.
    fn key(&self, rng: &mut Rng) -> String {
        let used = self.keyed.iter().rev().nth(rng.usize(0..40)).and_then(|step| step.key.clone());
        used.filter(|_| rng.u8(0..4) == 0).unwrap_or_else(|| format!("key-{}", self.keyed.len()))
    }
}

fn long(rng: &mut Rng) -> Duration {
    LONG * rng.u32(1..40)
}

/// Mostly the current token, else one that was valid once, or never.
fn token(rng: &mut Rng, oracle: &Oracle, resource: &str) -> String {
    let current = oracle.current(resource).map(|grant| grant.token.clone());
    let superseded = oracle.tokens(resource).iter().rev().nth(rng.usize(0..5)).cloned();
    let known = match rng.u8(0..10) {
        0..6 => current,
        6..9 => superseded,
        _ => None,
    };
    known.unwrap_or_else(|| Uuid::from_u128(rng.u128(..)).to_string())
}

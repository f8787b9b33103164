//! One operation: how it is sent and answered.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, lock_path};

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
        /// In place of the metadata, if it changes.
        metadata: Option<Value>,
        rotate: Option<bool>,
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
            Act::Extend { token, lease, metadata, rotate } => {
                let mut body = json!({ "timeout": lease.as_secs_f64() });
                if let Some(metadata) = metadata {
                    body["metadata"] = metadata.clone();
                }
                if let Some(rotate) = rotate {
                    body["rotate"] = json!(rotate);
                }
                (Method::PUT, format!("{path}/{token}"), Some(body))
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

//! Mistakes in what the client tells.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::Mistake;

/// What was said so far.
pub struct Messages {
    mistake: Mistake,
    commands: BTreeMap<u64, Value>,
    /// The locks of which the loss was told.
    lost: BTreeSet<String>,
    /// The grace of each lock, as the client computes it from the lease.
    graces: BTreeMap<String, Duration>,
}

impl Messages {
    pub fn new(mistake: Mistake) -> Self {
        Self { mistake, commands: BTreeMap::new(), lost: BTreeSet::new(), graces: BTreeMap::new() }
    }

    /// A command for the agent.
    pub fn command(&mut self, line: &str) {
        let Ok(command) = serde_json::from_str::<Value>(line) else { return };
        if let (Some("acquire"), Some(ttl)) = (command["do"].as_str(), command["ttl"].as_f64()) {
            let grace = command["grace"].as_f64().unwrap_or((ttl / 6.0).min(5.0));
            self.graces.insert(lock(&command), Duration::from_secs_f64(grace));
        }
        self.commands.insert(command["id"].as_u64().unwrap_or_default(), command);
    }

    /// A message of the agent, as it goes on to the runner.
    pub fn message(&mut self, line: String) -> String {
        let Ok(mut message) = serde_json::from_str::<Value>(&line) else { return line };
        if message["event"] == "lost" {
            if self.mistake == Mistake::LateLoss && message["reason"] == "unconfirmed" {
                thread::sleep(self.graces.get(&lock(&message)).copied().unwrap_or_default());
            }
            self.lost.insert(lock(&message));
        }
        let command = self.commands.get(&message["id"].as_u64().unwrap_or_default()).cloned().unwrap_or_default();
        match (self.mistake, message["error"]["kind"].as_str()) {
            (Mistake::HeldByFlag, Some("LockLost"))
                if command["do"] == "check" && !self.lost.contains(&lock(&command)) =>
            {
                message = json!({ "id": message["id"], "ok": { "held": true, "leftMs": 100 } });
            }
            (Mistake::BodyErrorReplaced, Some("BodyError")) if !message["error"]["lost"].is_null() => {
                let reason = message["error"]["lost"].clone();
                message["error"] = json!({ "kind": "LockLost", "message": "the lock is lost", "reason": reason });
            }
            (Mistake::DoubtForgotten, Some("Unknown")) => message["error"]["kind"] = "Unavailable".into(),
            _ => return line,
        }
        message.to_string()
    }
}

fn lock(value: &Value) -> String {
    value["lock"].as_str().unwrap_or("a").into()
}

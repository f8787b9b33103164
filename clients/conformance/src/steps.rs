//! The steps of a scenario.

use std::time::{Duration, Instant};

use gorilla_harness::Signal;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    link::Mode,
    matching::{is_as_expected, is_within},
    other::other,
    scenario::{About, Step},
    session::{Pending, Served, Session},
};

/// How long a step may take.
const WITHIN: f64 = 15.0;

impl Session {
    /// Does a step, and says what is wrong with how it went.
    pub async fn step(&mut self, step: &Step) -> Result<(), String> {
        let (members, about) = (&step.members, &step.about);
        let within = seconds(about.within.unwrap_or(WITHIN));
        match &*step.name {
            "wait" => sleep(seconds(members.as_f64().unwrap_or_default())).await,
            "event" => {
                let what = format!("the event {members}");
                let agent = self.agent(about.agent.unwrap_or_default()).await?;
                return agent.event(&what, within, |event| is_as_expected(members, event)).await;
            }
            "request" => return self.request(members, within).await,
            "answer" => {
                let name = members.as_str().unwrap_or_default();
                let pending = self.named.remove(name).ok_or_else(|| format!("no command has the name {name}"))?;
                return self.pending(pending, about).await;
            }
            "cancel" => {
                let name = members.as_str().unwrap_or_default();
                let Some(Pending::Agent { agent, id, .. }) = self.named.get(name) else {
                    return Err(format!("no command has the name {name}"));
                };
                let (agent, id) = (*agent, *id);
                let cancel = self.agent(agent).await?.send("cancel", &json!({ "of": id })).await?;
                let answer = self.agent(agent).await?.answer(cancel, within).await?;
                return judge(&answer, about);
            }
            "link" | "restart" | "other" => return self.served(step, within).await,
            "suspend" => {
                self.first.signal(Signal::STOP)?;
                sleep(seconds(members.as_f64().unwrap_or_default())).await;
                self.first.signal(Signal::CONT)?;
            }
            "terminate" => return self.first.terminate(within).await,
            "wall_clock" => {
                let clock = self.clock.as_ref().ok_or("no clock")?;
                clock.step(members.as_f64().unwrap_or_default() as i64);
            }
            "threads" | "memory" => {
                let name = if step.name == "threads" { "Threads" } else { "VmRSS" };
                let number = self.first.status(name).ok_or_else(|| format!("no {name}"))?;
                if !is_within(members, number as f64) {
                    return Err(format!("{name} of the agent are {number}, not {members}"));
                }
            }
            _ => return self.command(step, within).await,
        }
        Ok(())
    }

    /// A command for the agent.
    async fn command(&mut self, step: &Step, within: Duration) -> Result<(), String> {
        let members = self.complete(&step.name, &step.members);
        let which = step.about.agent.unwrap_or_default();
        if step.name == "advance" {
            self.advances.push((Instant::now(), members["s"].as_f64().unwrap_or_default()));
        }
        let id = self.agent(which).await?.send(&step.name, &members).await?;
        if let Some(name) = &step.about.name {
            let pending = Pending::Agent { agent: which, id, about: step.about.clone() };
            self.named.insert(name.clone(), pending);
            return Ok(());
        }
        let answer = self.agent(which).await?.answer(id, within).await;
        let answer = answer.map_err(|error| format!("{}: {error}", step.name))?;
        if let Some(token) = answer["ok"]["ticket"]["token"].as_str() {
            self.leases.secret(token);
            self.ticket = Some(answer["ok"]["ticket"].clone());
        }
        judge(&answer, &step.about).map_err(|error| format!("{}: {error}", step.name))
    }

    /// The members of a command, with the names that this run gives.
    fn complete(&self, name: &str, members: &Value) -> Value {
        let mut members = members.clone();
        let named = |text: &str| match text.strip_prefix('$') {
            Some(rest) => format!("{}-{rest}", self.resource),
            None => text.into(),
        };
        for member in ["resource", "name", "prefix"] {
            if let Some(text) = members[member].as_str() {
                members[member] = named(text).into();
            }
        }
        if let Some(names) = members["resources"].as_array() {
            members["resources"] = names.iter().filter_map(Value::as_str).map(named).collect();
        }
        let missing = match name {
            "acquire" if members["resources"].is_null() => Some("resource"),
            "once" | "elect" => Some("name"),
            "watch" | "many" => Some("prefix"),
            _ => None,
        };
        if let Some(missing) = missing.filter(|missing| members[missing].is_null()) {
            members[missing] = self.resource.clone().into();
        }
        if name == "adopt" {
            members["ticket"] = self.ticket.clone().unwrap_or_default();
        }
        if let (true, Some(commands)) = (name == "fork", members["commands"].as_array()) {
            let command = |parts: &Value| {
                let name = parts[0].as_str().unwrap_or_default();
                let mut command = self.complete(name, if parts[1].is_null() { &NO_MEMBERS } else { &parts[1] });
                command["do"] = name.into();
                command
            };
            members["commands"] = commands.iter().map(command).collect();
        }
        members
    }

    async fn pending(&mut self, pending: Pending, about: &About) -> Result<(), String> {
        let within = |before: &About| seconds(about.within.or(before.within).unwrap_or(WITHIN));
        // The expectation stands with the command or with the step that awaits its answer.
        let expected = |before: About| {
            if about.free || about.ok.is_some() || about.error.is_some() { about.clone() } else { before }
        };
        match pending {
            Pending::Agent { agent, id, about: before } => {
                let answer = self.agent(agent).await?.answer(id, within(&before)).await?;
                judge(&answer, &expected(before))
            }
            Pending::Other { answer, about: before } => {
                let answer = timeout(within(&before), answer).await.map_err(|_| "the other client got no answer")?;
                let answer = answer.map_err(|error| error.to_string())?;
                self.note_other(&answer);
                judge(&json!({ "ok": answer }), &expected(before))
            }
        }
    }

    /// A step of the runner that needs a real replica.
    async fn served(&mut self, step: &Step, within: Duration) -> Result<(), String> {
        if step.name == "restart" {
            return self.restart().await;
        }
        let Served::Replica { link, api, .. } = &self.served else {
            return Err(format!("{} needs a replica", step.name));
        };
        if step.name == "link" {
            match step.members.as_str() {
                Some("cut") => link.cut(),
                _ => link.set(serde_json::from_value::<Mode>(step.members.clone()).map_err(|error| error.to_string())?),
            }
            return Ok(());
        }
        let members = self.complete("other", &step.members);
        let resource = members["resource"].as_str().unwrap_or(&self.resource).to_string();
        let (api, token, leases) = (api.clone(), self.other.clone(), self.leases.clone());
        let answer = tokio::spawn(async move { other(&api, &members, &resource, token.as_deref(), &leases).await });
        let pending = Pending::Other { answer, about: step.about.clone() };
        if let Some(name) = &step.about.name {
            self.named.insert(name.clone(), pending);
            return Ok(());
        }
        let about = About { within: Some(within.as_secs_f64()), ..About::default() };
        self.pending(pending, &about).await.map_err(|error| format!("other {}: {error}", step.members["do"]))
    }

    fn note_other(&mut self, answer: &Value) {
        if let Some(token) = answer["body"]["token"].as_str() {
            self.other = Some(token.into());
        }
    }

    /// Waits for a request that no step has waited for before.
    async fn request(&mut self, members: &Value, within: Duration) -> Result<(), String> {
        let mut changes = self.log.changes();
        let on = members["on"].as_str().unwrap_or_default();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                let entries = self.log.entries();
                let found = entries.iter().enumerate().find(|(number, entry)| {
                    entry.operation.on.to_string() == on
                        && !self.seen.contains(number)
                        && is_as_expected(&members["body"], &entry.request.body) | members["body"].is_null()
                });
                if let Some((number, _)) = found {
                    return number;
                }
                // The log lives as long as the session.
                let _ = changes.changed().await;
            }
        };
        let number = timeout(within, waiting).await;
        let number = number.map_err(|_| format!("no {on} came within {:.1} s", within.as_secs_f64()))?;
        self.seen.insert(number);
        Ok(())
    }
}

static NO_MEMBERS: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!({}));

/// Whether an answer is as expected.
fn judge(answer: &Value, about: &About) -> Result<(), String> {
    if about.free {
        return Ok(());
    }
    let (member, expected) = match (&about.ok, &about.error) {
        (_, Some(error)) => ("error", error.clone()),
        (Some(ok), None) => ("ok", ok.clone()),
        (None, None) => ("ok", json!({})),
    };
    match &answer[member] {
        Value::Object(_) if is_as_expected(&expected, &answer[member]) => Ok(()),
        _ => Err(format!("expected {member} {expected}, not {}", without_secrets(answer))),
    }
}

/// An answer without its members that nobody should see.
fn without_secrets(answer: &Value) -> String {
    let mut answer = answer.clone();
    if let Some(body) = answer.pointer_mut("/ok/body").and_then(Value::as_object_mut) {
        body.remove("token");
    }
    answer.to_string()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

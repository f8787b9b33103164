//! What must be true in the end: what the scenario expects, and what must be true in every scenario.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;
use uuid::Uuid;

use crate::{
    agent::State,
    leases::Span,
    matching::is_within,
    scenario::Expect,
    wire::{Entry, On},
};

/// How long a copy may come after the first request with its key, or after the last refusal.
const KEY_LASTS: f64 = 55.0;
/// How much later than a new request the runner may see that the client has given up on the one before.
const SEEN_LATER: Duration = Duration::from_millis(250);

/// All that was seen of a scenario.
pub struct Seen {
    pub entries: Vec<Entry>,
    pub spans: Vec<Span>,
    pub tokens: Vec<String>,
    pub advances: Vec<(Instant, f64)>,
    /// Of each process.
    pub agents: Vec<State>,
}

impl Seen {
    /// What is wrong.
    pub fn problems(&self, expect: &Expect) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.expected(expect));
        problems.extend(self.tokens_that_leak());
        problems.extend(self.keys());
        problems.extend(self.renewals());
        for agent in &self.agents {
            problems.extend(agent.problems.iter().cloned());
            problems.extend(self.held(agent));
        }
        problems.sort();
        problems.dedup();
        problems
    }

    fn expected(&self, expect: &Expect) -> Vec<String> {
        let mut problems = Vec::new();
        let events: Vec<_> = self.agents.iter().flat_map(|agent| &agent.events).collect();
        let names: Vec<_> = events.iter().map(|event| event.value["event"].as_str().unwrap_or_default()).collect();
        let mut rest = names.iter();
        if let Some(missing) = expect.events.iter().find(|expected| !rest.any(|name| name == expected)) {
            let (missing, order) = (missing, expect.events.join(", "));
            problems.push(format!(
                "the event {missing} did not come in the order {order}; these came: {}",
                names.join(", ")
            ));
        }
        for never in expect.never.iter().filter(|never| names.contains(&never.as_str())) {
            problems.push(format!("the event {never} must not come; these came: {}", names.join(", ")));
        }
        for (on, bounds) in &expect.requests {
            let count = self.entries.iter().filter(|entry| entry.operation.on.to_string() == *on).count();
            if !is_within(bounds, count as f64) {
                problems.push(format!("{count} requests {on} came, not {bounds}"));
            }
        }
        for (on, bounds) in &expect.answered {
            let of = self.entries.iter().filter(|entry| entry.operation.on.to_string() == *on);
            let count = of.filter(|entry| entry.status.is_some()).count();
            if !is_within(bounds, count as f64) {
                problems.push(format!("{count} requests {on} were answered, not {bounds}"));
            }
        }
        for (on, bounds) in &expect.keys {
            let of = self.entries.iter().filter(|entry| entry.operation.on.to_string() == *on);
            let keys: BTreeSet<_> = of.map(|entry| &entry.operation.key).collect();
            if !is_within(bounds, keys.len() as f64) {
                problems.push(format!("{on} came with {} different keys, not {bounds}", keys.len()));
            }
        }
        if let Some(early) = expect.lost_early {
            for event in events.iter().filter(|event| event.value["event"] == "lost") {
                let ends = self.spans.iter().filter(|span| span.from <= event.at).map(|span| span.due).max();
                let left = ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(event.at));
                if left.as_secs_f64() < early {
                    problems.push(format!(
                        "lost was told {:.3} s before the end of the lease, not {early} s",
                        left.as_secs_f64()
                    ));
                }
            }
        }
        problems
    }

    fn tokens_that_leak(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for token in &self.tokens {
            // The token of a shared lock names its holder, whose id is no secret.
            let secret = token.rsplit('.').next().unwrap_or(token);
            for entry in self.entries.iter().filter(|entry| entry.request.target.contains(secret)) {
                problems.push(format!("a token stands in the URL of a {}", entry.operation.on));
            }
            for agent in &self.agents {
                if agent.stderr.iter().any(|line| line.contains(secret)) {
                    problems.push("a token stands on standard error".into());
                }
                let is_ticket = |line: &str| line.contains("\"ticket\"");
                if agent.lines.iter().any(|(_, line)| line.contains(secret) && !is_ticket(line)) {
                    problems.push("a token stands on standard output".into());
                }
            }
        }
        problems
    }

    fn keys(&self) -> Vec<String> {
        let mut problems = Vec::new();
        // What a key stands for, when the first request or the last refusal came.
        let mut keys = BTreeMap::<&str, (Vec<Asked<'_>>, f64)>::new();
        let Some(begun) = self.entries.first().map(|entry| entry.at) else { return problems };
        let since = |at: Instant| {
            let advanced: f64 = self.advances.iter().filter(|(when, _)| *when <= at).map(|(_, by)| by).sum();
            at.duration_since(begun).as_secs_f64() + advanced
        };
        for entry in &self.entries {
            let operation = &entry.operation;
            let changes = operation.items.iter().any(|item| !matches!(item.body["rotate"], Value::Bool(false)));
            let Some(key) = operation.key.as_deref() else {
                if matches!(operation.on, On::Post | On::Put | On::Delete) || (operation.on == On::Batch && changes) {
                    problems.push(format!("a {} has no Idempotency-Key", operation.on));
                }
                continue;
            };
            if Uuid::parse_str(key).is_err() {
                problems.push(format!("the Idempotency-Key of a {} is not a UUID", operation.on));
            }
            let asked: Vec<_> = operation.items.iter().map(Asked::of).collect();
            let at = since(entry.at);
            let (before, last) = keys.entry(key).or_insert_with(|| (asked.clone(), at));
            // A batch may be followed by its items one by one.
            if !asked.iter().all(|item| before.contains(item)) {
                problems
                    .push(format!("one Idempotency-Key serves two different requests, the second a {}", operation.on));
            }
            if at - *last > KEY_LASTS {
                let late = at - *last;
                problems.push(format!(
                    "a copy of a {} came {late:.1} s after the first, and no refusal since",
                    operation.on
                ));
            }
            if entry.status.is_some_and(|status| (400..500).contains(&status)) {
                *last = since(entry.done.unwrap_or(entry.at));
            }
        }
        problems
    }

    fn renewals(&self) -> Vec<String> {
        let mut problems = Vec::new();
        // When the last release of a resource came.
        let mut released = BTreeMap::new();
        let granted_between = |resource: &str, from: Instant, to: Instant| {
            let of = self.entries.iter().filter(|entry| entry.operation.on == On::Post && entry.status == Some(200));
            let mut of = of.filter(|entry| entry.operation.items.iter().any(|item| item.resource == resource));
            of.any(|entry| entry.done.is_some_and(|done| done >= from && entry.at <= to))
        };
        // When the renewal of a token was sent last, and when it was done.
        let mut renewals = BTreeMap::<(&str, &str), &Entry>::new();
        for entry in &self.entries {
            for item in &entry.operation.items {
                let held = (item.resource.as_str(), item.token.as_deref().unwrap_or_default());
                match item.on {
                    On::Delete => drop(released.insert(item.resource.as_str(), entry.at)),
                    On::Put => {
                        // Another process may hold the resource since.
                        let released = released.get(item.resource.as_str());
                        if released.is_some_and(|at| !granted_between(&item.resource, *at, entry.at)) {
                            problems.push("an extend came after the release".into());
                        }
                        if let Some(before) = renewals.insert(held, entry)
                            && before.done.is_none_or(|done| done > entry.at + SEEN_LATER)
                        {
                            problems.push("a renewal came while the one before was still in flight".into());
                        }
                    }
                    _ => {}
                }
            }
        }
        problems
    }

    /// What the agent said about locks that it holds.
    fn held(&self, agent: &State) -> Vec<String> {
        let mut problems = Vec::new();
        let mut resources = BTreeMap::<String, String>::new();
        let mut begun = BTreeMap::<String, Instant>::new();
        let name = |value: &Value| value["lock"].as_str().unwrap_or("a").to_string();
        for sent in &agent.commands {
            let (command, lock) = (&sent.value, name(&sent.value));
            match command["do"].as_str() {
                Some("acquire" | "adopt" | "elect" | "again") => {
                    let resource = [&command["resource"], &command["name"], &command["ticket"]["resource"]];
                    let of = command["of"].as_str().and_then(|of| resources.get(of).cloned());
                    let resource = resource.iter().find_map(|value| value.as_str()).map(String::from).or(of);
                    resources.insert(lock.clone(), resource.unwrap_or_default());
                    begun.insert(lock, sent.at);
                }
                Some("check") => {
                    let Some((answered, answer)) = agent.answers.get(&sent.id) else { continue };
                    if answer["ok"]["held"] != true && answer["error"]["held"] != true {
                        continue;
                    }
                    let resource = resources.get(&lock).map(String::as_str).unwrap_or_default();
                    let runs = |span: &Span| span.from <= *answered && span.ends >= sent.at;
                    let mut spans = self.spans.iter().filter(|span| span.resource == resource);
                    if !resource.is_empty() && !spans.any(runs) {
                        problems.push(format!("the lock {lock} counts as held, and the server has ended its lease"));
                    }
                    // A lock that is acquired again, as by a leader that campaigns again, is another hold.
                    let since = begun.get(&lock).copied();
                    let mut told = agent.events.iter().filter(|event| {
                        name(&event.value) == lock && event.at < sent.at && since.is_none_or(|since| event.at > since)
                    });
                    let last = told
                        .rfind(|event| matches!(event.value["event"].as_str(), Some("lost" | "acquired" | "leading")));
                    if last.is_some_and(|last| last.value["event"] == "lost") {
                        problems.push(format!("the lock {lock} counts as held after it was lost"));
                    }
                }
                _ => {}
            }
        }
        problems.extend(told_twice(agent, name));
        problems
    }
}

/// A loss is told once for each hold.
fn told_twice(agent: &State, name: impl Fn(&Value) -> String) -> Vec<String> {
    let mut lost = BTreeSet::new();
    let mut problems = Vec::new();
    for event in &agent.events {
        let lock = name(&event.value);
        match event.value["event"].as_str() {
            Some("acquired" | "leading") => drop(lost.remove(&lock)),
            Some("lost") if !lost.insert(lock.clone()) => {
                problems.push(format!("lost was told twice of the lock {lock}"))
            }
            _ => {}
        }
    }
    problems
}

/// What the server compares of two requests with one key.
#[derive(Clone, PartialEq)]
struct Asked<'a> {
    on: On,
    resource: &'a str,
    token: Option<&'a str>,
    owner: &'a Value,
    timeout: &'a Value,
}

impl<'a> Asked<'a> {
    fn of(item: &'a crate::wire::Item) -> Self {
        let (owner, timeout) = (&item.body["owner"], &item.body["timeout"]);
        Self { on: item.on, resource: &item.resource, token: item.token.as_deref(), owner, timeout }
    }
}

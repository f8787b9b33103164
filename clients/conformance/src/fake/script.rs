//! The script of a fake: which request comes next.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::rule::{Key, Rule};
use crate::{
    matching::is_as_expected,
    wire::{On, Operation, Request},
};

/// The script, and how far it has come.
pub struct Script {
    rules: Vec<Rule>,
    /// The rule that may come next, and how often it came.
    next: usize,
    came: u64,
    keys: BTreeMap<On, String>,
    /// The tokens behind the names of the script, which are long, so that they are found wherever they leak.
    tokens: BTreeMap<String, String>,
    pub problems: Vec<String>,
}

impl Script {
    pub fn new(rules: &[Rule]) -> Self {
        Self {
            rules: rules.to_vec(),
            next: 0,
            came: 0,
            keys: BTreeMap::new(),
            tokens: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// The rule for a request; None if the request is not as the script says.
    pub fn take(&mut self, request: &Request, operation: &Operation) -> Option<Rule> {
        let mut why = None;
        while let Some(rule) = self.rules.get(self.next).cloned() {
            if self.came < rule.times.most() {
                match self.mismatch(&rule, request, operation) {
                    None => {
                        self.came += 1;
                        if let Some(key) = &operation.key {
                            self.keys.insert(operation.on, key.clone());
                        }
                        return Some(rule);
                    }
                    // What the first rule that may apply has against the request says most.
                    Some(mismatch) => why = why.or(Some(format!("rule {}: {mismatch}", self.next + 1))),
                }
            }
            if self.came < rule.times.least() {
                break;
            }
            (self.next, self.came) = (self.next + 1, 0);
        }
        let why = why.unwrap_or_else(|| "the script has ended".into());
        self.problems.push(format!("the fake did not expect {} {}: {why}", request.method, request.target));
        None
    }

    /// Which rules never applied, or not often enough.
    pub fn rest(&self) -> Vec<String> {
        let rest = self.rules.iter().enumerate().skip(self.next);
        let missing = rest.filter_map(|(number, rule)| {
            let came = if number == self.next { self.came } else { 0 };
            (came < rule.times.least()).then(|| {
                format!(
                    "rule {} ({}) of the script was used {came} times, not {}",
                    number + 1,
                    rule.on,
                    rule.times.least()
                )
            })
        });
        missing.collect()
    }

    /// The token behind a name.
    pub fn token(&mut self, name: &str) -> String {
        self.tokens.entry(name.into()).or_insert_with(|| Uuid::new_v4().to_string()).clone()
    }

    /// The name means this token from now on: the client asked to keep the token.
    pub fn keep_token(&mut self, name: &str, token: &str) {
        self.tokens.insert(name.into(), token.into());
    }

    fn mismatch(&self, rule: &Rule, request: &Request, operation: &Operation) -> Option<String> {
        if rule.on != operation.on {
            return Some(format!("expected {}", rule.on));
        }
        if let Some(name) = &rule.token {
            let expected = self.tokens.get(name).map(String::as_str);
            if expected.is_none() || expected != operation.token() {
                let known = self.tokens.iter().find(|(_, token)| operation.token() == Some(token));
                return Some(format!("expected the token {name}, not {:?}", known.map(|(name, _)| name)));
            }
        }
        let resource = operation.items.first().map(|item| &item.resource);
        if rule.resource.is_some() && rule.resource.as_ref() != resource {
            return Some(format!("expected the resource {:?}, not {resource:?}", rule.resource));
        }
        let before = self.keys.get(&operation.on);
        match rule.key {
            Some(Key::Same) if before != operation.key.as_ref() => return Some("expected the same key".into()),
            Some(Key::New) if before == operation.key.as_ref() => return Some("expected a new key".into()),
            _ => {}
        }
        if !rule.body.is_null() && !is_as_expected(&rule.body, &request.body) {
            return Some(format!("expected a body with {}, not {}", rule.body, without_token(&request.body)));
        }
        if let Some((least, most)) = rule.after
            && !(least..=most).contains(&operation.after.unwrap_or_default())
        {
            return Some(format!("expected after from {least} to {most}, not {:?}", operation.after));
        }
        if let Some(auth) = &rule.auth {
            let actual = request.header("authorization");
            if auth.as_str() != actual {
                return Some(format!("expected Authorization {auth}, not {actual:?}"));
            }
        }
        None
    }
}

fn without_token(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("token");
    }
    body
}

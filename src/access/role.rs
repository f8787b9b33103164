//! What a role allows.

use std::time::Duration;

use gorilla_domain::{Scope, Verb};

/// What keys with this role may do, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// A role allows what one of its rules allows.
    pub rules: Vec<Rule>,
    /// How much.
    pub quota: Quota,
}

/// Allows some verbs with some resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// With which resources.
    pub resources: Where,
    /// Which verbs.
    pub verbs: Vec<Verb>,
}

/// The resources of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// Those whose names begin with this; all if it is empty.
    Prefix(String),
    /// The resource with this name.
    Name(String),
}

/// How much a key may use. Nothing: as much as the settings allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Locks that it holds at once, over all replicas.
    pub max_held: Option<u32>,
    /// Requests that wait at once, at each replica.
    pub max_waiters: Option<u32>,
    /// Acquires, looks and lists each second, at each replica.
    pub per_second: Option<u32>,
    /// How many of these may come at once.
    pub burst: Option<u32>,
    /// The longest lease.
    pub max_timeout: Option<Duration>,
    /// The longest wait.
    pub max_wait: Option<Duration>,
}

impl Rule {
    /// Whether the rule is about this resource.
    pub fn is_about(&self, resource: &str) -> bool {
        match &self.resources {
            Where::Prefix(prefix) => resource.starts_with(prefix.as_str()),
            Where::Name(name) => resource == name,
        }
    }
}

impl Role {
    /// The rule that allows this; nothing if no rule does.
    pub fn allows(&self, verb: Verb, resource: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.verbs.contains(&verb) && rule.is_about(resource))
    }

    /// Whether the role allows this with all resources.
    pub fn allows_everywhere(&self, verb: Verb) -> bool {
        let everywhere = Where::Prefix(String::new());
        self.rules.iter().any(|rule| rule.resources == everywhere && rule.verbs.contains(&verb))
    }

    /// The resources with which the role allows this.
    pub fn scope(&self, verb: Verb) -> Scope {
        let (mut prefixes, mut names) = (Vec::new(), Vec::new());
        for rule in self.rules.iter().filter(|rule| rule.verbs.contains(&verb)) {
            match &rule.resources {
                Where::Prefix(prefix) => prefixes.push(prefix.clone()),
                Where::Name(name) => names.push(name.clone()),
            }
        }
        Scope::new(prefixes, names)
    }
}

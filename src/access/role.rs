//! A role: rights and quotas that several keys may share.

use std::{num::NonZeroU32, time::Duration};

use super::{
    rule::{Rule, Target},
    scope::Scope,
    verb::Verb,
};

/// What the keys of a role may do, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Everything that one of the rules allows is allowed. No rule forbids.
    pub rules: Vec<Rule>,
    /// How much each key of the role may do.
    pub quota: Quota,
}

/// How much one identity may do. What is not set has no limit but those of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Locks that it holds at once, on all replicas together.
    pub max_held: Option<NonZeroU32>,
    /// Requests of it that wait at once, on each replica.
    pub max_waiters: Option<NonZeroU32>,
    /// How often it may ask, on each replica.
    pub rate: Option<Rate>,
    /// The longest lease that it may ask for.
    pub max_timeout: Option<Duration>,
    /// The longest time for which it may wait.
    pub max_wait: Option<Duration>,
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_second: NonZeroU32,
    /// At once, after some time of rest.
    pub burst: NonZeroU32,
}

impl Role {
    /// The first rule that allows a verb on a resource.
    pub fn rule_for(&self, verb: Verb, resource: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.verbs.contains(verb) && rule.target.covers(resource))
    }

    /// The first rule that allows a verb on all resources.
    pub fn rule_for_everything(&self, verb: Verb) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.verbs.contains(verb) && rule.target.is_everything())
    }

    /// The resources on which the role allows a verb.
    pub fn scope(&self, verb: Verb) -> Scope {
        self.targets(verb).collect()
    }

    fn targets(&self, verb: Verb) -> impl Iterator<Item = &Target> {
        self.rules.iter().filter(move |rule| rule.verbs.contains(verb)).map(|rule| &rule.target)
    }
}

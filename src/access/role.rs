//! A role: rights and quotas that several keys may share.

use std::{num::NonZeroU32, time::Duration};

use gorilla_domain::{Scope, Verb};

use super::rule::{Rule, Target};

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
        let (mut prefixes, mut names) = (Vec::new(), Vec::new());
        for rule in self.rules.iter().filter(|rule| rule.verbs.contains(verb)) {
            match &rule.target {
                Target::Prefix(prefix) => prefixes.push(prefix.clone()),
                Target::Name(name) => names.push(name.clone()),
            }
        }
        Scope::new(prefixes, names)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_scope_includes_what_one_of_the_rules_covers(
            prefixes in prop::collection::vec("[ab]{0,3}", 0..4), names in prop::collection::vec("[ab]{1,4}", 0..4),
            asked in "[ab]{0,3}", resource in "[ab]{1,5}",
        ) {
            let targets = prefixes.into_iter().map(Target::Prefix).chain(names.into_iter().map(Target::Name));
            let rule = |target| Rule { target, verbs: [Verb::List].into_iter().collect() };
            let role = Role { name: "any".into(), rules: targets.map(rule).collect(), quota: Quota::default() };
            let scope = role.scope(Verb::List);
            let covered = role.rule_for(Verb::List, &resource).is_some();
            prop_assert_eq!(scope.includes(&resource), covered);
            prop_assert_eq!(scope.within(&asked).includes(&resource), covered && resource.starts_with(&asked));
            prop_assert!(!covered || resource.starts_with(scope.common_start()));
            prop_assert!(role.scope(Verb::Break).is_empty());
        }
    }
}

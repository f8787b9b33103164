//! One generation of the access file: who may do what, ready to be looked up.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use gorilla_domain::{Owner, ResourceName, Verb};

use super::{
    file::{Expiry, File, KeyEntry, QuotaEntry, RoleEntry, RuleEntry},
    identity::Identity,
    key::{Digest, Key, NotAKey},
    names::{self, is_name},
    problems::{Problems, Warning},
    role::{Quota, Role, Rule, Where},
};

/// What the names of a family of resources end with before they differ, as a rule.
const SEPARATORS: &str = ":/.-_";

/// Who may do what.
#[derive(Debug, Default)]
pub struct Access {
    /// Looked up by the whole digest, so that a key that is nearly right takes the same way as any other.
    keys: HashMap<Digest, Arc<Identity>>,
}

/// Why a text lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It does not have the form of a key.
    Malformed,
    /// Its checksum is wrong.
    BadChecksum,
    /// No key of the access file is like it.
    Unknown,
    /// The key was valid once.
    Expired,
}

impl Access {
    /// Reads the text of an access file. Fails with all that is wrong with it.
    pub fn parse(text: &str) -> Result<(Self, Vec<Warning>), Problems> {
        let File { role, key } = File::read(text)?;
        let mut checks = Checks::default();
        let roles: HashMap<_, _> = role.into_iter().filter_map(|entry| checks.role(entry)).collect();
        let mut keys = HashMap::with_capacity(key.len());
        for entry in key {
            checks.key(entry, &roles, &mut keys);
        }
        match checks.problems.is_empty() {
            true => Ok((Self { keys }, checks.warnings)),
            false => Err(Problems(checks.problems)),
        }
    }

    /// Whose key this text is.
    pub fn identify(&self, presented: &str, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        let key = Key::parse(presented).map_err(|not| match not {
            NotAKey::Malformed => Denied::Malformed,
            NotAKey::BadChecksum => Denied::BadChecksum,
        })?;
        self.find(key.digest(), now)
    }

    /// The same key as of an earlier generation, as it is described now.
    pub fn again(&self, earlier: &Identity, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        let identity = self.find(earlier.digest, now)?;
        // The same secret under another name belongs to somebody else.
        if identity.name == earlier.name { Ok(identity) } else { Err(Denied::Unknown) }
    }

    /// The key with this name. It may have expired.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Identity>> {
        self.keys.values().find(|identity| identity.name == name)
    }

    /// How many digests it knows.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// All keys, in no order. A key with several hashes comes several times.
    pub fn identities(&self) -> impl Iterator<Item = &Arc<Identity>> {
        self.keys.values()
    }

    fn find(&self, digest: Digest, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        let identity = self.keys.get(&digest).ok_or(Denied::Unknown)?;
        match identity.expires.is_some_and(|expires| expires <= now) {
            true => Err(Denied::Expired),
            false => Ok(Arc::clone(identity)),
        }
    }
}

/// The checks of a file, with what they found.
#[derive(Default)]
struct Checks {
    problems: Vec<String>,
    warnings: Vec<Warning>,
    role_names: HashSet<String>,
    key_names: HashSet<String>,
}

impl Checks {
    fn refuse(&mut self, place: &str, problem: impl AsRef<str>) {
        self.problems.push(format!("{place}: {}.", problem.as_ref()));
    }

    /// The role of an entry by its name, as far as it can be read.
    fn role(&mut self, RoleEntry { name, rules, quota }: RoleEntry) -> Option<(String, Arc<Role>)> {
        let place = format!("role {name:?}");
        if !is_name(&name) {
            self.refuse(&place, format!("the name {}", names::RULE));
        }
        if !self.role_names.insert(name.clone()) {
            self.refuse(&place, "another role has this name");
        }
        let rules: Vec<_> = rules.into_iter().filter_map(|rule| self.rule(&place, rule)).collect();
        self.check_waits(&place, &rules);
        let quota = self.quota(&place, quota);
        Some((name.clone(), Arc::new(Role { name, rules, quota })))
    }

    fn rule(&mut self, place: &str, RuleEntry { prefix, name, verbs }: RuleEntry) -> Option<Rule> {
        let resources = match (prefix, name) {
            (Some(prefix), None) => Where::Prefix(prefix),
            (None, Some(name)) => Where::Name(name),
            _ => {
                self.refuse(place, "each rule must have either \"prefix\" or \"name\"");
                return None;
            }
        };
        match &resources {
            Where::Name(name) => {
                if let Err(rule) = ResourceName::parse(name) {
                    self.refuse(place, format!("name = {name:?} {rule}"));
                }
            }
            Where::Prefix(prefix) if prefix.is_empty() => {}
            Where::Prefix(prefix) if ResourceName::parse(prefix).is_err() => {
                self.refuse(place, format!("prefix = {prefix:?} is not the beginning of any name"));
            }
            Where::Prefix(prefix) => {
                if !prefix.ends_with(|last| SEPARATORS.contains(last)) {
                    let text = format!(
                        "{place}: prefix = {prefix:?} allows \"{prefix}-admin\" as well as {prefix:?}; end it with \
                         a separator such as \":\", or write name = {prefix:?} if you mean that resource alone."
                    );
                    self.warnings.push(Warning(text));
                }
            }
        }
        if verbs.is_empty() {
            self.refuse(place, "a rule without verbs allows nothing");
        }
        let known = || Verb::ALL.map(Verb::as_str).join(", ");
        let mut read = Vec::with_capacity(verbs.len());
        for verb in verbs {
            match verb.parse() {
                Ok(verb) => read.push(verb),
                Err(()) => self.refuse(place, format!("{verb:?} is not a verb; known are {}", known())),
            }
        }
        Some(Rule { resources, verbs: read })
    }

    /// A request that waits acquires in the end, so that `wait` alone would allow nothing.
    fn check_waits(&mut self, place: &str, rules: &[Rule]) {
        let acquires = |resources: &Where| {
            rules.iter().filter(|rule| rule.verbs.contains(&Verb::Acquire)).any(|rule| {
                match (&rule.resources, resources) {
                    (Where::Prefix(prefix), Where::Prefix(text) | Where::Name(text)) => {
                        text.starts_with(prefix.as_str())
                    }
                    (Where::Name(name), Where::Name(other)) => name == other,
                    (Where::Name(_), Where::Prefix(_)) => false,
                }
            })
        };
        let waiting = rules.iter().filter(|rule| rule.verbs.contains(&Verb::Wait));
        if waiting.clone().any(|rule| !acquires(&rule.resources)) {
            self.refuse(place, "\"wait\" needs \"acquire\" with the same resources");
        }
    }

    fn quota(&mut self, place: &str, entry: QuotaEntry) -> Quota {
        let QuotaEntry { max_held, max_waiters, per_second, burst, max_timeout, max_wait } = entry;
        for (name, value) in
            [("max_held", max_held), ("max_waiters", max_waiters), ("per_second", per_second), ("burst", burst)]
        {
            if value == Some(0) {
                self.refuse(place, format!("quota.{name} must be at least 1; leave the verb out to allow nothing"));
            }
        }
        if burst.is_some() && per_second.is_none() {
            self.refuse(place, "quota.burst needs quota.per_second");
        }
        let mut duration = |name: &str, text: Option<String>| -> Option<Duration> {
            let text = text?;
            match humantime::parse_duration(&text) {
                Ok(duration) if !duration.is_zero() => Some(duration),
                _ => {
                    self.refuse(place, format!("quota.{name} = {text:?} must be a duration such as \"30s\" or \"5m\""));
                    None
                }
            }
        };
        let (max_timeout, max_wait) = (duration("max_timeout", max_timeout), duration("max_wait", max_wait));
        Quota { max_held, max_waiters, per_second, burst, max_timeout, max_wait }
    }

    fn key(
        &mut self,
        KeyEntry { name, hashes, role, expires, owner_prefix }: KeyEntry,
        roles: &HashMap<String, Arc<Role>>,
        keys: &mut HashMap<Digest, Arc<Identity>>,
    ) {
        let place = format!("key {name:?}");
        if !is_name(&name) {
            self.refuse(&place, format!("the name {}", names::RULE));
        }
        if !self.key_names.insert(name.clone()) {
            self.refuse(&place, "another key has this name; a key may have several hashes");
        }
        let found = roles.get(&role).cloned();
        if found.is_none() {
            self.refuse(&place, format!("there is no role {role:?}"));
        }
        if hashes.is_empty() {
            self.refuse(&place, "hashes is empty, so that no key would be accepted; remove the entry instead");
        }
        if let Some(prefix) = owner_prefix.as_deref().filter(|prefix| Owner::new((*prefix).into()).is_err()) {
            self.refuse(&place, format!("owner_prefix = {prefix:?} is not the beginning of any owner"));
        }
        let expires = expires.and_then(|expires| {
            let text = match expires {
                Expiry::Text(text) => text,
                Expiry::Time(time) => time.to_string(),
            };
            let parsed = humantime::parse_rfc3339(&text).ok();
            if parsed.is_none() {
                self.refuse(&place, format!("expires = {text:?} must be a time such as \"2027-06-01T00:00:00Z\""));
            }
            parsed
        });
        let Some(role) = found else { return };
        let digests: Vec<_> = hashes.iter().map(|text| Digest::parse(text)).collect();
        for (at, digest) in digests.into_iter().enumerate() {
            let Some(digest) = digest else {
                // The text may be a key, which a message must not repeat.
                let problem = format!(
                    "hashes[{at}] must be \"sha256:\" and 64 hexadecimal digits, as gorilla key check prints it"
                );
                self.refuse(&place, problem);
                continue;
            };
            let (name, role, owner_prefix) = (name.clone(), Arc::clone(&role), owner_prefix.clone());
            let identity = Arc::new(Identity { name, role, owner_prefix, expires, digest });
            if let Some(other) = keys.insert(digest, identity) {
                self.refuse(&place, format!("hashes[{at}] is a hash of the key {:?} too", other.name));
            }
        }
    }
}

//! Who asks.

use std::{sync::Arc, time::SystemTime};

use gorilla_domain::{Scope, Verb};

use super::{digest::Digest, meter::OwnMeter, role::Role};

/// A caller that is known: a `[[key]]` of the access file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// The public id of the key that it presented. Empty if it was looked up by its name.
    pub key_id: String,
    /// What it may do.
    pub role: Arc<Role>,
    /// What the owners of its locks must begin with.
    pub owner_prefix: Option<String>,
    /// When its keys end to be valid.
    pub expires: Option<SystemTime>,
    /// The digest of the key that it presented.
    pub(super) digest: Option<Digest>,
    /// The generation of the access file that says all this.
    pub(super) generation: u64,
    /// What it uses.
    pub(super) meter: OwnMeter,
}

impl Identity {
    /// Whether it may do something with a resource.
    pub fn may(&self, verb: Verb, resource: &str) -> bool {
        self.role.rule_for(verb, resource).is_some()
    }

    /// Whether it may do something with all resources, which is what verbs without a resource need.
    pub fn may_everywhere(&self, verb: Verb) -> bool {
        self.role.rule_for_everything(verb).is_some()
    }

    /// The resources with which it may do something.
    pub fn scope(&self, verb: Verb) -> Scope {
        self.role.scope(verb)
    }

    /// Whether its locks may have this owner.
    pub fn may_be_owner(&self, owner: &str) -> bool {
        self.owner_prefix.as_ref().is_none_or(|prefix| owner.starts_with(prefix.as_str()))
    }

    /// Whether its keys are no longer valid.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

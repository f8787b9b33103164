//! Whose key a request has.

use std::{sync::Arc, time::SystemTime};

use gorilla_domain::{Scope, Verb};

use super::{key::Digest, role::Role};

/// The owner of an API key, as the access file describes it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The name of the key in the access file.
    pub name: String,
    /// What it may do.
    pub role: Arc<Role>,
    /// What the owners of its locks must begin with.
    pub owner_prefix: Option<String>,
    /// When the key ends to be valid.
    pub expires: Option<SystemTime>,
    /// By which the key is found again in a later generation of the access file.
    pub(super) digest: Digest,
}

impl Identity {
    /// Whether it may do this with a resource.
    pub fn may(&self, verb: Verb, resource: &str) -> bool {
        self.role.allows(verb, resource).is_some()
    }

    /// Whether it may do this with all resources.
    pub fn may_everywhere(&self, verb: Verb) -> bool {
        self.role.allows_everywhere(verb)
    }

    /// The resources with which it may do this.
    pub fn scope(&self, verb: Verb) -> Scope {
        self.role.scope(verb)
    }
}

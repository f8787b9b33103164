//! The client behind a request.

use std::sync::Arc;

use gorilla_domain::{HeldQuota, IdempotencyKey, ResourceName, Scope, Verb};

use super::refusal::Denied;
use crate::{access::Identity, audit, peer::Peer};

/// The client that makes a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// From where the request comes.
    pub peer: Peer,
    /// The client's name for the request, or a name that Gorilla gave it.
    pub request_id: String,
    /// Whose API key the request has. Nothing if this replica demands no keys, or the operation none: then the caller
    /// may do everything.
    pub identity: Option<Arc<Identity>>,
    /// What the records of the request have beside that, if there is something, and the request makes records
    /// or breaks a lock.
    pub recorded: Option<Arc<audit::Request>>,
}

impl Caller {
    /// Refuses what the caller may not do with a resource.
    pub fn permit(&self, verb: Verb, resource: &ResourceName) -> Result<(), Denied> {
        match &self.identity {
            Some(identity) if !identity.may(verb, resource.as_str()) => {
                Err(Denied { identity: identity.name.clone(), verb, resource: Some(resource.clone()) })
            }
            _ => Ok(()),
        }
    }

    /// The resources with which the caller may do this; nothing if with all. Refuses a caller that may do it with none.
    pub fn scope(&self, verb: Verb) -> Result<Option<Scope>, Denied> {
        let Some(identity) = &self.identity else { return Ok(None) };
        let scope = identity.scope(verb);
        match scope.is_empty() {
            true => Err(Denied { identity: identity.name.clone(), verb, resource: None }),
            false => Ok(Some(scope)),
        }
    }

    /// How many locks the caller may hold at once, if there is a limit.
    pub fn held_quota(&self) -> Option<HeldQuota> {
        let identity = self.identity.as_ref()?;
        let most = identity.role.quota.max_held?.get();
        Some(HeldQuota { identity: identity.name.clone(), most })
    }

    /// The Idempotency-Key of a request of this caller. Two callers that send the same key mean two requests.
    pub fn own(&self, key: IdempotencyKey) -> IdempotencyKey {
        match &self.identity {
            Some(identity) => key.of(&identity.name),
            None => key,
        }
    }
}

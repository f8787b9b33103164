//! The client behind a request.

use std::{num::NonZeroU32, sync::Arc};

use gorilla_domain::{IdempotencyKey, ResourceName, Scope, State, Taker, Verb};

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
    /// What the records of the request have, if records are made.
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

    /// The name of its identity.
    pub fn name(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.name.as_str())
    }

    /// Who it is that takes a lock.
    pub fn taker(&self) -> Option<Taker> {
        let identity = self.identity.as_ref()?;
        let max_held = identity.role.quota.max_held.map(NonZeroU32::get);
        Some(Taker { identity: identity.name.clone(), max_held })
    }

    /// Whether the caller may know who took this lock, or broke it.
    pub fn may_inspect(&self, resource: &ResourceName) -> bool {
        self.permit(Verb::Inspect, resource).is_ok()
    }

    /// What the caller may know of the state of a lock, where its right is not that to inspect the lock.
    pub fn shown(&self, resource: &ResourceName, state: State) -> State {
        if self.may_inspect(resource) { state } else { state.without_takers() }
    }

    /// The same of each lock.
    pub fn all_shown(&self, locks: Vec<(ResourceName, State)>) -> Vec<(ResourceName, State)> {
        let show = |(resource, state)| {
            let state = self.shown(&resource, state);
            (resource, state)
        };
        locks.into_iter().map(show).collect()
    }

    /// The Idempotency-Key of a request of this caller. Two callers that send the same key mean two requests.
    pub fn own(&self, key: IdempotencyKey) -> IdempotencyKey {
        match &self.identity {
            Some(identity) => key.of(&identity.name),
            None => key,
        }
    }
}

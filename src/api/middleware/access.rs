//! Whose API key a request has, and whether the key allows the operation. Decided from the head of the request, before
//! its body is read.

use std::{sync::Arc, time::SystemTime};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Uri, header},
};
use gorilla_domain::{ResourceName, Verb};
use gorilla_wire::Right;

use crate::{
    access::{Current, Denied, Identity, Presented},
    api::{
        error::ApiError,
        invalid::Invalid,
        target::{in_path, plain_name},
    },
    audit::{Audit, Event},
    metrics::{Authentication, Metrics},
    service::Caller,
};

/// Lets requests in whose API keys allow what they ask for.
pub struct Gate {
    access: Option<Arc<Current>>,
    audit: Option<Arc<Audit>>,
    metrics: Arc<Metrics>,
}

impl Gate {
    /// The gate of a replica that demands keys, or of a replica that demands none.
    pub fn new(access: Option<Arc<Current>>, audit: Option<Arc<Audit>>, metrics: Arc<Metrics>) -> Self {
        Self { access, audit, metrics }
    }

    /// Whose key the request of this caller has, if the replica demands keys and the operation needs one. The caller has
    /// no identity yet. `before` is what its connection presented last.
    pub fn admit(
        &self,
        right: Right,
        caller: &Caller,
        before: &Presented,
        request: &Request,
    ) -> Result<Option<Arc<Identity>>, ApiError> {
        let Some(access) = self.access.as_ref().filter(|_| right != Right::Public) else { return Ok(None) };
        let failed = |what: Authentication| {
            self.metrics.access.saw(what);
            if let Some(audit) = &self.audit {
                audit.refused(&caller.record(Event::AuthFailed, what.as_str()));
            }
        };
        refuse_credentials_in_query(request.uri())?;
        let credentials = credentials(request.headers()).inspect_err(|_| failed(Authentication::Malformed))?;
        let credentials = credentials.ok_or(ApiError::AuthenticationRequired);
        let credentials = credentials.inspect_err(|_| failed(Authentication::Missing))?;
        let identity = match recall(access, before, credentials) {
            Some(identity) => identity,
            None => {
                before.forget();
                let key = key_in(credentials).inspect_err(|_| failed(Authentication::Malformed))?;
                let identity = access.load().identify(key, SystemTime::now()).map_err(|denied| {
                    failed(counted(&denied));
                    invalid(&denied)
                })?;
                before.remember(credentials.as_bytes(), &identity);
                identity
            }
        };
        self.permit(&identity, right, request).inspect_err(|error| {
            self.metrics.access.saw(Authentication::Denied);
            self.note_denied(&identity, caller, error);
        })?;
        self.metrics.access.saw(Authentication::Ok);
        Ok(Some(identity))
    }

    fn note_denied(&self, identity: &Arc<Identity>, caller: &Caller, error: &ApiError) {
        if let (Some(audit), ApiError::InsufficientScope { verb, resource, .. }) = (&self.audit, error) {
            let caller = Caller { identity: Some(Arc::clone(identity)), ..caller.clone() };
            caller.note_denied(audit, *verb, resource.as_ref());
        }
    }

    /// Refuses what the key does not allow.
    fn permit(&self, identity: &Identity, right: Right, request: &Request) -> Result<(), ApiError> {
        match right {
            Right::Public | Right::OfEachItem | Right::OfAnyKey => {}
            Right::On(verb) => {
                let path = request.uri().path();
                // Nearly every name is allowed, and written as it is.
                if plain_name(path).is_some_and(|name| identity.may(verb, name)) {
                    return Ok(());
                }
                // A path that names no resource is refused by the handler, whoever asks.
                if let Ok((resource, _)) = in_path(path)
                    && !identity.may(verb, resource.as_str())
                {
                    return Err(insufficient(identity, verb, Some(resource)));
                }
            }
            Right::OnSome(verb) => {
                if identity.scope(verb).is_empty() {
                    return Err(insufficient(identity, verb, None));
                }
            }
            Right::Everywhere(verb) => {
                if !identity.may_everywhere(verb) {
                    return Err(insufficient(identity, verb, None));
                }
            }
        }
        Ok(())
    }
}

/// Whom the credentials identify, if that is the same as when the connection presented them last. Otherwise they have to
/// be looked at anew: they may be others, the access file may have changed, and the key may have expired.
fn recall(access: &Current, before: &Presented, credentials: &HeaderValue) -> Option<Arc<Identity>> {
    before.recall(credentials.as_bytes()).filter(|identity| access.still_says(identity))
}

/// The credentials that a request presents, if it presents any.
fn credentials(headers: &HeaderMap) -> Result<Option<&HeaderValue>, ApiError> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        return Err(Invalid::new("Authorization", "must not come more than once").into());
    }
    Ok(first)
}

/// The key that credentials have.
fn key_in(credentials: &HeaderValue) -> Result<&str, ApiError> {
    let key = credentials.to_str().ok().and_then(|text| text.split_once(' '));
    match key.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, key)) => Ok(key.trim_matches(' ')),
        None => Err(ApiError::InvalidKey("the header Authorization must be \"Bearer \" and the key")),
    }
}

/// Refuses a key in a query, where proxies and logs would keep it.
fn refuse_credentials_in_query(uri: &Uri) -> Result<(), Invalid> {
    let Some(query) = uri.query() else { return Ok(()) };
    match url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
        true => Err(Invalid::new("access_token", "must not be in a query; send the key in the header Authorization")),
        false => Ok(()),
    }
}

fn counted(denied: &Denied) -> Authentication {
    match denied {
        Denied::Malformed => Authentication::Malformed,
        Denied::BadChecksum => Authentication::BadChecksum,
        Denied::Unknown => Authentication::Unknown,
        Denied::Expired => Authentication::Expired,
    }
}

fn invalid(denied: &Denied) -> ApiError {
    ApiError::InvalidKey(match denied {
        Denied::Malformed => "it does not have the form of a key, which begins with \"gorilla_\"",
        Denied::BadChecksum => "its checksum is wrong, as after a typing error or when its end is missing",
        Denied::Unknown => "no key of this replica is like it",
        Denied::Expired => "it has expired",
    })
}

fn insufficient(identity: &Identity, verb: Verb, resource: Option<ResourceName>) -> ApiError {
    ApiError::InsufficientScope { key: identity.name.clone(), verb, resource }
}

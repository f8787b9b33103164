//! Parses what handlers need of a request.

use std::{borrow::Cow, str::Utf8Error};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName, Uri},
};
use gorilla_domain::{IdempotencyKey, ResourceName, Token};
use gorilla_wire::{ELECTIONS, LIMITS, LOCKS};
use percent_encoding::percent_decode_str;

use super::{app::App, error::ApiError, invalid::Invalid};
use crate::service::Caller;

const LOCK_TOKEN: HeaderName = HeaderName::from_static("lock-token");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request about one resource.
pub struct Target {
    /// The client that asks.
    pub caller: Caller,
    /// From the path.
    pub resource: ResourceName,
    /// From the path, or else from the header `Lock-Token`.
    pub token: Option<Token>,
    /// All headers.
    pub headers: HeaderMap,
    /// Not read yet.
    pub body: Body,
}

/// A request about one resource, of an operation that takes parameters.
pub struct WithQuery {
    /// The request.
    pub target: Target,
    /// The parameters as they were sent.
    pub query: String,
}

impl FromRequest<App> for WithQuery {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        let query = request.uri().query().unwrap_or_default().into();
        Ok(Self { target: Target::of(request)?, query })
    }
}

impl FromRequest<App> for Target {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        refuse_parameters(request.uri(), "this request")?;
        Self::of(request)
    }
}

impl Target {
    /// The request, whatever its query.
    fn of(request: Request) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let (resource, in_path) = in_path(parts.uri.path())?;
        let in_header = || parts.headers.get(LOCK_TOKEN).map(|token| token.to_str().unwrap_or_default());
        let token = in_path.or_else(|| in_header().map(Token::from_client));
        // `server` has put it there for every request.
        let caller = parts.extensions.remove().ok_or(ApiError::Panic)?;
        Ok(Self { caller, resource, token, headers: parts.headers, body })
    }
}

/// Refuses parameters of what takes none. A client that sends a parameter means something by it, such as to wait, so
/// Gorilla must not ignore it.
pub fn refuse_parameters(uri: &Uri, what: &str) -> Result<(), Invalid> {
    match uri.query().is_some_and(|query| !query.is_empty()) {
        true => Err(Invalid::new("query", format!("must be empty, because {what} takes no parameters"))),
        false => Ok(()),
    }
}

/// The resource and the token of a path that begins with [`LOCKS`], [`LIMITS`] or [`ELECTIONS`]. axum's extractor would
/// refuse the whole path if only the token is not UTF-8. Such a token is simply a token that no lock has.
pub fn in_path(path: &str) -> Result<(ResourceName, Option<Token>), Invalid> {
    let rest = [LOCKS, LIMITS, ELECTIONS].iter().find_map(|below| path.strip_prefix(below));
    let rest = rest.and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    let (resource, rest) = rest.split_once('/').map_or((rest, None), |(resource, rest)| (resource, Some(rest)));
    let resource = decoded(resource);
    let resource = resource.map_err(|_| Invalid::new("resource", "must be valid UTF-8 after percent-decoding"))?;
    // `break` and `queue` are not tokens, and their handlers don't ask for a token. Text that is not UTF-8 is a token that no lock
    // has.
    let token = rest.map(|token| Token::from_client(&decoded(token).unwrap_or_default()));
    let resource = ResourceName::parse(&resource).map_err(|rule| Invalid::new("resource", rule))?;
    Ok((resource, token))
}

/// The name of the resource in such a path, if nothing of it is percent-encoded. It may break the rules for names.
pub fn plain_name(path: &str) -> Option<&str> {
    let rest = [LOCKS, LIMITS, ELECTIONS].iter().find_map(|below| path.strip_prefix(below))?;
    let rest = rest.strip_prefix('/')?;
    let name = rest.split_once('/').map_or(rest, |(name, _)| name);
    (!name.contains('%')).then_some(name)
}

/// Percent-decodes a segment of a path.
pub fn decoded(segment: &str) -> Result<Cow<'_, str>, Utf8Error> {
    match segment.contains('%') {
        true => percent_decode_str(segment).decode_utf8(),
        false => Ok(segment.into()),
    }
}

/// The Idempotency-Key of a request of this caller, if it has one.
pub fn idempotency_key(headers: &HeaderMap, caller: &Caller) -> Result<Option<IdempotencyKey>, Invalid> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Invalid::new("Idempotency-Key", "must not come more than once"));
    }
    let key = IdempotencyKey::parse(value.as_bytes()).map_err(|rule| Invalid::new("Idempotency-Key", rule))?;
    Ok(Some(caller.own(key)))
}

//! What handlers take from the path and the headers, parsed.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use percent_encoding::percent_decode_str;

use super::{App, error::ApiError};
use crate::lock::{Fingerprint, IdempotencyKey, Invalid, Once, ResourceName, Token};

const LOCK_TOKEN: &str = "lock-token";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Of `/api/v1/locks/{resource}`: an empty one, and three.
const SEGMENTS_BEFORE: usize = 4;

/// What a request is about.
pub struct Target {
    /// From the path.
    pub resource: ResourceName,
    /// From the path, or else from the header `Lock-Token`.
    pub token: Option<Token>,
}

impl FromRequestParts<App> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let (resource, in_path) = in_path(parts.uri.path())?;
        let header = parts.headers.get(LOCK_TOKEN).map(|token| token.to_str().unwrap_or_default());
        let token = in_path.or_else(|| header.map(Token::from_client));
        Ok(Self { resource, token })
    }
}

/// The resource and the token of a path that begins with `/api/v1/locks/`. Not by axum's extractor: it refuses the whole
/// path where only the token is no UTF-8, and that is nobody's token.
pub fn in_path(path: &str) -> Result<(ResourceName, Option<Token>), Invalid> {
    let mut segments = path.split('/').skip(SEGMENTS_BEFORE).map(percent_decode_str);
    let resource = segments.next().unwrap_or(percent_decode_str("")).decode_utf8();
    let resource = resource.map_err(|_| Invalid::new("resource", "must be valid UTF-8 after percent-decoding"))?;
    // `break` is no token, and its handler asks for none.
    let token = segments.next().map(|token| Token::from_client(&token.decode_utf8_lossy()));
    Ok((ResourceName::parse(&resource)?, token))
}

/// The request's Idempotency-Key, with the digest of `parts`: all that the request asks for.
pub fn once(headers: &HeaderMap, parts: &[&str]) -> Result<Option<Once>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Invalid::new("Idempotency-Key", "must not come more than once").into());
    }
    let key = IdempotencyKey::parse(value.as_bytes())?;
    Ok(Some(Once { key, fingerprint: Fingerprint::of(parts) }))
}

//! What handlers take from the path and the headers, parsed.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{HeaderMap, request::Parts},
};

use super::{App, error::ApiError};
use crate::lock::{Fingerprint, IdempotencyKey, Invalid, Once, ResourceName, Token};

const LOCK_TOKEN: &str = "lock-token";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What a request is about.
pub struct Target {
    /// From the path.
    pub resource: ResourceName,
    /// From the path, or else from the header `Lock-Token`.
    pub token: Option<Token>,
}

impl FromRequestParts<App> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Invalid::new("resource", "must be valid UTF-8 after percent-decoding"))?;
        let param = |name: &str| params.iter().find(|(param, _)| *param == name).map(|(_, value)| value);
        let resource = ResourceName::parse(param("resource").unwrap_or_default())?;
        let header = parts.headers.get(LOCK_TOKEN).map(|token| token.to_str().unwrap_or_default());
        let token = param("token").or(header).map(Token::from_client);
        Ok(Self { resource, token })
    }
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

//! Refuses writes that a browser sends for a page of another site. The browser sends some of them without asking the
//! server first: it only hides the answer from the page, when the write is already done.

use axum::http::{HeaderValue, Method};

use super::{head::Head, host::Host};
use crate::api::error::ApiError;

/// Refuses a write that a browser sends for a page of another origin than the host that the write is for.
pub fn check(method: &Method, head: &Head, host: Option<&Host>) -> Result<(), ApiError> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return Ok(());
    }
    // A browser sends `none` when a person typed the address.
    let own_site = |site: &HeaderValue| site == "same-origin" || site == "none";
    let own_origin = |origin: &HeaderValue| host.is_some_and(|host| is_origin_of(origin, host));
    let is_own = head.site.iter().all(own_site) && head.origin.iter().all(own_origin);
    if is_own { Ok(()) } else { Err(ApiError::CrossOrigin) }
}

/// Whether pages from a host have this origin, `scheme://host[:port]`. The scheme may differ, because a proxy may have
/// ended TLS. The origin `null` belongs to no host.
fn is_origin_of(origin: &HeaderValue, host: &Host) -> bool {
    let parsed = origin.to_str().ok().and_then(|origin| {
        let (scheme, host) = origin.split_once("://")?;
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        Some((Host::parse(host)?, port))
    });
    parsed.is_some_and(|(origin, port)| origin.is_same(host, port))
}

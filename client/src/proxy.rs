//! The proxy that the environment puts in front of a server.

use std::{net::IpAddr, sync::Arc};

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

/// Whether a server is on this machine. Then the client uses no proxy: to a proxy, such an address is its own machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The address of the proxy that reqwest uses for a server, for messages: without user name and password.
pub fn address(url: &Url) -> Option<Arc<str>> {
    if is_loopback(url) {
        return None;
    }
    // reqwest finds its proxy with the same function.
    let proxy = Matcher::from_system().intercept(&url.as_str().parse::<Uri>().ok()?)?;
    let (scheme, host) = (proxy.uri().scheme_str()?, proxy.uri().host()?);
    let port = proxy.uri().port().map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{scheme}://{host}{port}").into())
}

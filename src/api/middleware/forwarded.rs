//! The client behind the proxies of a request: `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::{peer::Peer, settings::TrustedProxies};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// From where a request comes that came over a connection from `connected`. Each proxy adds the address of its own client
/// at the end. So the last address that is not that of a trusted proxy is the last one that a trusted proxy has seen
/// itself; whatever stands before it may be invented. If all addresses are trusted, it is the first one.
pub fn peer(trusted: &TrustedProxies, connected: SocketAddr, headers: &HeaderMap) -> Peer {
    let is_trusted = |address: IpAddr| {
        let address = address.to_canonical();
        trusted.0.iter().any(|network| network.contains(&address))
    };
    let mut peer = Peer::Connected(connected);
    if !is_trusted(connected.ip()) {
        return peer;
    }
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for text in value.to_str().unwrap_or_default().rsplit(',') {
            // What is before a text that is no address was not added by a proxy that can be trusted.
            let Some(address) = address(text.trim()) else { return peer };
            peer = Peer::Forwarded(address);
            if !is_trusted(address) {
                return peer;
            }
        }
    }
    peer
}

/// An address with or without a port: some proxies add it.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip()).ok();
    text.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The peer of a request from 10.0.0.1 with these headers, where 10.0.0.0/8 and ::1 are trusted.
    fn seen(headers: &[&str]) -> String {
        seen_from("10.0.0.1:999", headers)
    }

    fn seen_from(connected: &str, headers: &[&str]) -> String {
        let trusted = TrustedProxies(["10.0.0.0/8", "::1/128"].map(|text| text.parse().expect("a network")).to_vec());
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(FORWARDED_FOR, value.parse().expect("a value"));
        }
        peer(&trusted, connected.parse().expect("an address"), &map).to_string()
    }

    #[test]
    fn the_peer_is_the_last_address_that_is_not_trusted() {
        assert_eq!(seen(&["192.0.2.1"]), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6, 192.0.2.1,10.0.0.2 , ::1"]), "192.0.2.1");
        assert_eq!(seen(&["6.6.6.6", "192.0.2.1", "10.0.0.2"]), "192.0.2.1");
        assert_eq!(seen(&["192.0.2.1:4711"]), "192.0.2.1");
        assert_eq!(seen(&["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(seen(&["::ffff:192.0.2.1, ::ffff:10.0.0.2"]), "192.0.2.1");
        assert_eq!(seen_from("[::ffff:10.0.0.1]:999", &["192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(seen_from("192.0.2.9:999", &["6.6.6.6"]), "192.0.2.9:999");
        assert_eq!(seen(&[]), "10.0.0.1:999");
        assert_eq!(seen(&["6.6.6.6, unknown"]), "10.0.0.1:999");
        assert_eq!(seen(&["6.6.6.6, unknown, 10.0.0.3"]), "10.0.0.3");
        assert_eq!(seen(&["6.6.6.6", ""]), "10.0.0.1:999");
    }

    #[test]
    fn where_all_are_trusted_the_first_is_the_client() {
        assert_eq!(seen(&["10.0.0.4, 10.0.0.2"]), "10.0.0.4");
    }
}

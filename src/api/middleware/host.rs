//! Which host a request is for, and whether this replica serves that host.

use std::net::{IpAddr, SocketAddr};

use axum::{extract::Request, http::Version};

use super::head::Head;
use crate::{
    api::{error::ApiError, invalid::Invalid},
    settings::Server,
};

/// A host as requests and origins name it: `name`, `name:port` or `[IPv6]:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: url::Host,
    port: Option<u16>,
}

/// The hosts that a replica serves.
pub struct Served {
    /// The hosts that the settings name.
    named: Vec<url::Host>,
    /// Whether the replica serves every other host too.
    others: bool,
}

impl Host {
    /// The one host that a request names in its header `Host`, or in its target, which counts more than the header.
    /// Only a request of HTTP/1.0 may name no host.
    pub fn of(request: &Request, head: &Head) -> Result<Option<Self>, ApiError> {
        let given = &head.host;
        if !given.others.is_empty() || (given.first.is_none() && request.version() != Version::HTTP_10) {
            return Err(Invalid::new("Host", "must come exactly once").into());
        }
        let named = match (request.uri().authority(), given.first) {
            (Some(authority), _) => Self::parse(authority.as_str()),
            (None, Some(header)) => header.to_str().ok().and_then(Self::parse),
            (None, None) => return Ok(None),
        };
        let rule = "must be the name or the IP address of a host, alone or followed by a colon and a port";
        named.map(Some).ok_or_else(|| Invalid::new("Host", rule).into())
    }

    /// Takes a text apart, if it is a host.
    pub fn parse(text: &str) -> Option<Self> {
        // The colons in brackets are not those of a port.
        let (name, port) = match text.rsplit_once(':').filter(|_| !text.ends_with(']')) {
            Some((name, port)) => (name, port),
            None => (text, ""),
        };
        let port = match port {
            "" => None,
            port => Some(port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?),
        };
        // Most requests name one of these two addresses, which cost much less to read than a name.
        let name = match name.parse() {
            Ok(address) => url::Host::Ipv4(address),
            Err(_) if name == "localhost" => url::Host::Domain(name.into()),
            Err(_) => url::Host::parse(name.strip_suffix('.').unwrap_or(name)).ok()?,
        };
        Some(Self { name, port })
    }

    /// Whether both are the same place. A host that names no port has this port.
    pub fn is_same(&self, other: &Self, port: u16) -> bool {
        self.name == other.name && self.port.unwrap_or(port) == other.port.unwrap_or(port)
    }
}

impl Served {
    /// The hosts that the settings allow. The owner of a web page can make the name of the page lead to the loopback
    /// address (DNS rebinding). A browser would then let the page read and change locks, but it sends that name as the
    /// host.
    pub fn by(settings: &Server) -> Self {
        let named = settings.allowed_hosts.0.clone();
        let others = named.is_empty() && !is_loopback(SocketAddr::ip(&settings.listen));
        Self { named, others }
    }

    /// Refuses a request for another host. A request that names no host is served: browsers always name one.
    pub fn check(&self, host: Option<&Host>) -> Result<(), ApiError> {
        let Some(Host { name, .. }) = host.filter(|_| !self.others) else { return Ok(()) };
        let of_this_machine = match name {
            url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(address) => is_loopback((*address).into()),
            url::Host::Ipv6(address) => is_loopback((*address).into()),
        };
        match of_this_machine || self.named.contains(name) {
            true => Ok(()),
            false => Err(ApiError::HostNotAllowed(name.to_string())),
        }
    }
}

/// An IPv6 address that stands for an address of IPv4 counts too.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

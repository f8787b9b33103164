//! From where a request comes.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The other end of the connection.
    Connected(SocketAddr),
    /// What a trusted proxy says about its client.
    Forwarded(IpAddr),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Connected(address) => address.fmt(f),
            Self::Forwarded(address) => address.fmt(f),
        }
    }
}

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

impl Peer {
    /// The same as `Display`, quicker for the usual address: each record of the audit file has it.
    pub fn text(self) -> String {
        let Self::Connected(SocketAddr::V4(address)) = self else { return self.to_string() };
        let mut text = String::with_capacity("255.255.255.255:65535".len());
        for (number, after) in address.ip().octets().into_iter().zip(['.', '.', '.', ':']) {
            text.push_str(itoa::Buffer::new().format(number));
            text.push(after);
        }
        text.push_str(itoa::Buffer::new().format(address.port()));
        text
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Connected(address) => address.fmt(f),
            Self::Forwarded(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_is_displayed() {
        let connected = ["0.0.0.0:0", "127.0.0.1:80", "255.255.255.255:65535", "[::1]:80", "[::ffff:10.0.0.1]:7"];
        let connected = connected.map(|text| (text, Peer::Connected(text.parse().expect("an address"))));
        let forwarded = ["10.0.0.1", "2001:db8::1"];
        let forwarded = forwarded.map(|text| (text, Peer::Forwarded(text.parse().expect("an address"))));
        for (text, peer) in connected.into_iter().chain(forwarded) {
            assert_eq!((peer.text(), peer.to_string()), (text.into(), text.into()));
        }
    }
}

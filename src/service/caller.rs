//! The client behind a request.

use std::net::SocketAddr;

/// The client that makes a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The client's name for the request, or a name that Gorilla gave it.
    pub request_id: String,
}

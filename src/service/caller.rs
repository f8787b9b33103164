//! Who asks.

use std::net::SocketAddr;

/// Who makes a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The client's name for the request, or one of Gorilla's.
    pub request_id: String,
}

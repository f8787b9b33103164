//! A lock on its way from one process to another.

use serde::{Deserialize, Serialize};

use crate::Token;

/// A lock that no guard keeps: from [`Guard::detach`](crate::Guard::detach) in one process to [`Client::adopt`](crate::Client::adopt) in
/// another. Its JSON has the token, so pass it on as you pass a password on. Nobody renews the lock on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ticket {
    /// The name of what is locked.
    pub resource: String,
    /// The id of the grant.
    pub id: String,
    /// The fencing token.
    pub fence: u64,
    /// The right to renew and to release the lock.
    pub token: Token,
}

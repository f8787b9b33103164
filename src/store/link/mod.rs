//! The connection to Redis. It knows requests and replies, not what they are for: whoever opens a link is told of messages
//! and of new connections by `Events`.
//!
//! `connect` opens a connection, `supervised` keeps one open, `connection` sends over it, `batch` makes many requests one command,
//! `listen` hears what comes without being asked for, `confirmer` has replicas of Redis confirm writes, `fitness` judges
//! a server by what it tells, and `error` tells the errors of Redis apart.
//!
//! fred's own reconnecting is off. It answers every command in flight with the error that one of them met, it measures
//! an unresponsive server from the last write so that steady traffic to a hung one never trips it, and it may send
//! queued commands long after their callers have gone. Here a connection that fails in any way is dropped as a whole,
//! what was in flight has an unknown outcome, and a new connection finds the master again.

mod batch;
mod confirmer;
mod connect;
mod connection;
mod error;
mod events;
mod explain;
pub mod fitness;
mod listen;
mod supervised;

pub use confirmer::RequiredAcks;
pub use connection::Connection;
pub use error::Error;
pub use events::Events;
pub use supervised::Link;

//! The connection to Redis. It knows requests and replies, not what they are for: the store, which opens the link,
//! learns of messages and new connections by `Events`.
//!
//! `connect` opens a connection, `supervised` keeps one open, `connection` sends over it, `batch` makes one command of
//! many requests, `listen` takes the messages that Redis sends, `confirmer` has replicas of Redis confirm writes,
//! `fitness` judges a server by its `INFO`, and `error` tells the errors of Redis apart.
//!
//! fred's own reconnecting is off. It answers every command in flight with the error that one of them met. It measures
//! from the last write how long a server has been silent, so it never notices a hung server under steady traffic. And
//! it may send queued commands long after their callers have gone. Gorilla instead drops a connection that fails in any
//! way, gives all commands in flight an unknown outcome, and finds the master again with a new connection.

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
pub use error::{Error, Refusal};
pub use events::Events;
pub use supervised::Link;

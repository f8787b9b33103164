//! Locks in Redis. `operations` has a file for each operation, which runs one script of `lua/`; `waiting` is about the
//! requests that wait on this replica, `doubt` about acquires whose outcome nobody learns, `durability` about data that
//! Redis may lose, and `link` is the connection.

mod base;
mod bid;
mod call;
mod doubt;
mod durability;
mod error;
mod events;
mod link;
mod link_events;
mod operations;
mod protocol;
mod waiting;

pub use base::Store;
pub use events::{Entry, Listening, Read, Tail};
pub use operations::{LimitChange, Node, Told, Untold};

//! HTTP as the runner sees it: requests read from real sockets, what they mean, and the log of all of them.

mod http;
mod log;
mod operation;

pub use http::{Answer, Connection, Request, read_answer};
pub use log::{Entry, WireLog};
pub use operation::{Item, On, Operation};

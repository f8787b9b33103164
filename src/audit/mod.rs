//! The audit file: records of what clients did with locks, each with the hash of the one before. It knows neither HTTP
//! nor Redis. docs/reference/audit.md has what it promises.
//!
//! `record` is what a record has, `chain` makes it a line, `writer` is the thread that writes lines into the `file`, and
//! `intake` is what the use cases hand records to. `verify` reads files again.

mod chain;
mod file;
mod intake;
mod link;
mod mask;
mod record;
mod request;
mod shared;
mod tally;
mod verify;
mod writer;

pub use intake::{Audit, NoRoom, Slot};
pub use mask::Secrets;
pub use record::{Event, Record};
pub use request::Request;
pub use verify::{Counts, Verifier};

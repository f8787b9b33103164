//! The use cases: one a file, each a function of `Service` from the caller and what it asks for to the outcome. What is
//! true of a use case for every interface has its place here: rights and the audit log, later quotas.

mod acquire;
mod acquire_set;
mod base;
mod batch;
mod break_lock;
mod caller;
mod extend;
mod hastener;
mod inspect;
mod last_look;
mod limit;
mod list;
mod listening;
mod load;
mod permission;
mod readiness;
mod refusal;
mod release;
mod room;
mod trail;
mod watch;
mod watches;

pub use base::Service;
pub use batch::{Done, Operation};
pub use caller::Caller;
pub use listening::{Filter, Heard, Kinds, Listening};
pub use readiness::Readiness;
pub use refusal::{Denied, Refusal};
pub use watch::Seen;

pub use crate::events::{History, Recorded};

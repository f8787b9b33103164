//! The use cases: one a file, each a function of `Service` from the caller and what it asks for to the outcome. What is
//! true of a use case for every interface has its place here: rights and the audit log, later quotas.

mod acquire;
mod acquire_set;
mod aside;
mod base;
mod batch;
mod break_lock;
mod cached;
mod caller;
mod census;
mod contention;
mod extend;
mod fleet;
mod hastener;
mod inspect;
mod last_look;
mod limit;
mod list;
mod listening;
mod load;
mod past_break;
mod permission;
mod pulse;
mod readiness;
mod refusal;
mod release;
mod room;
mod row;
mod sorted;
mod told;
mod trail;
mod voice;
mod watch;
mod watches;

pub use base::Service;
pub use batch::{Done, Operation};
pub use caller::Caller;
pub use census::MOST as MOST_SORTED;
pub use listening::{Filter, Happened, Heard, Kinds, Listening};
pub use pulse::begin as begin_to_tell;
pub use readiness::Readiness;
pub use refusal::{Denied, Refusal};
pub use sorted::{Sorted, SortedList};
pub use watch::Seen;

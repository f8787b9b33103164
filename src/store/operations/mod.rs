//! A file for each operation: from what is asked to the call of a script, and from its reply to the outcome.

mod acquire;
mod acquire_set;
mod ask;
mod break_lock;
mod convert;
mod extend;
mod hold;
mod info;
mod inspect;
mod limit;
mod list;
mod past_break;
mod pulse;
mod ready;
mod release;
mod renew;
mod scan;
mod set_parts;
mod shared;
mod take_at_once;
pub(super) mod time;
mod wait;

pub use info::Node;
pub use limit::LimitChange;
pub use pulse::{Told, Untold};

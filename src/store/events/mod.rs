//! What the scripts have recorded: has Redis record it, reads it, and tells ends of leases that nobody else tells.
//! `recording` has what the rest of the program calls; `only` does it on a Redis that has one stream for all locks, `slots`
//! and `slot_tail` in a Cluster, which has a stream for each slot.

mod age;
mod entry;
mod listening;
mod only;
mod recording;
mod slot_tail;
mod slots;

pub use age::EntriesAge;
pub use entry::Entry;
pub use listening::Listening;
pub use recording::{Read, Tail};

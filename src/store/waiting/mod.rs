//! Requests that wait on this replica.

mod offer;
mod turn_watch;
mod waiters;
mod watched_queues;

pub use offer::{NextClaim, Offer, Told};
pub use waiters::Waiters;
pub use watched_queues::WatchedQueues;

//! Requests that wait on this replica.

mod turn_watch;
mod waiters;
mod watched_queues;

pub use waiters::Waiters;
pub use watched_queues::WatchedQueues;

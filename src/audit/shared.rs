//! What the thread that writes records and the use cases both know.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::tally::Tally;

/// What the thread and the use cases both know.
#[derive(Debug, Default)]
pub struct Shared {
    /// Whether the last attempt to write failed.
    pub is_failing: AtomicBool,
    /// Records that were dropped and that no record tells of yet.
    pub lost: AtomicU64,
    /// Refusals of this second.
    pub tally: Tally,
}

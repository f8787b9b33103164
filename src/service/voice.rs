//! What a replica knows of its own telling.

use std::time::SystemTime;

use tokio::{sync::Mutex, time::Instant};

/// What a replica knows of its own telling. One pulse is made at a time.
pub struct Voice {
    /// When the replica began.
    pub started: SystemTime,
    /// The same, by a clock that nobody sets.
    pub since: Instant,
    /// What came of the last pulse.
    pub last: Mutex<Last>,
}

/// What came of the last pulse of a replica.
#[derive(Default)]
pub struct Last {
    /// How long Redis took to answer, in microseconds.
    pub round_trip: Option<u64>,
    /// Whether the log says that Redis does not allow it.
    pub is_refused: bool,
    /// Nothing is told any more.
    pub has_ended: bool,
}

impl Default for Voice {
    fn default() -> Self {
        Self { started: SystemTime::now(), since: Instant::now(), last: Mutex::default() }
    }
}

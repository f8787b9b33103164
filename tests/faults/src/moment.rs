//! The time in a run.

/// A moment on the one clock that all clients share, in nanoseconds since the run began.
pub type Moment = u64;

/// One second.
pub const SECOND: Moment = 1_000_000_000;

/// A moment in seconds, for people.
pub fn at(moment: Moment) -> String {
    format!("{:.3} s", moment as f64 / SECOND as f64)
}

//! What every contestant is.

use anyhow::Result;

use crate::{results::Figures, task::Task};

/// A way to take a lock, ready to be measured.
pub struct Contestant {
    /// Its version, and what one cycle of it does.
    pub what: String,
    /// Does a task, and returns what the clients saw.
    pub take_turn: Turn,
}

type Turn = Box<dyn Fn(&Task) -> Result<Figures>>;

//! When cycles begin.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// When cycles begin.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// On each connection as soon as the last one has ended: a closed loop, which finds how much there can be.
    Closed,
    /// So many a second over all connections, whether earlier ones have ended or not: an open loop, which finds how long
    /// it takes.
    Open(f64),
}

/// Whose cycle is next.
pub struct Schedule {
    every: Option<Duration>,
    /// When the next cycle of an open loop is due.
    due: Instant,
    /// Connections that wait for a cycle, the longest waiting first.
    idle: VecDeque<usize>,
}

impl Schedule {
    /// All connections are idle.
    pub fn new(pace: Pace, connections: usize, begun: Instant) -> Self {
        let every = match pace {
            Pace::Closed => None,
            Pace::Open(per_second) => Some(Duration::from_secs_f64(1.0 / per_second)),
        };
        Self { every, due: begun, idle: (0..connections).collect() }
    }

    /// The next connection to begin a cycle, and when that was due. What is due while all are busy waits, and is counted
    /// from when it was due.
    pub fn next_due(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let Some(every) = self.every else { return Some((self.idle.pop_front()?, now)) };
        if self.due > now {
            return None;
        }
        let index = self.idle.pop_front()?;
        let due = self.due;
        self.due += every;
        Some((index, due))
    }

    /// When a cycle may be due next without an answer before it.
    pub fn next_at(&self) -> Option<Instant> {
        (self.every.is_some() && !self.idle.is_empty()).then_some(self.due)
    }

    /// A cycle of this connection has ended.
    pub fn idle(&mut self, connection: usize) {
        self.idle.push_back(connection);
    }
}

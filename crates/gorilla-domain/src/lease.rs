//! How long a grant lasts.

use std::time::Duration;

use crate::BrokenRule;

/// A whole number of milliseconds, from 100 to what the settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease(u64);

impl Lease {
    /// The shortest lease.
    pub const SHORTEST: Duration = Duration::from_millis(100);
    /// How long a part of a set is held without being renewed, until the set has all its parts.
    pub const HOLD: Self = Self(5000);

    /// Checks a length in milliseconds, rounded already. The length is a float because it may be any number: 1e308
    /// seconds don't fit into a `Duration`.
    pub fn from_millis(length: f64, longest: Duration) -> Result<Self, BrokenRule> {
        if length < Self::SHORTEST.as_millis() as f64 {
            return Err("is too short".into());
        }
        if length > longest.as_millis() as f64 {
            return Err("is too long".into());
        }
        Ok(Self(length as u64))
    }

    /// The length in milliseconds.
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// The length.
    pub fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

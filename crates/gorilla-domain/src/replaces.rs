//! What makes a waiter replace another.

use crate::BrokenRule;

/// 1 to 256 bytes of UTF-8. Of the requests with the same text only the newest waits for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces(String);

impl Replaces {
    /// The longest text, in bytes.
    pub const LONGEST: usize = 256;

    /// Checks a text.
    pub fn new(text: String) -> Result<Self, BrokenRule> {
        match text.len() {
            1..=Self::LONGEST => Ok(Self(text)),
            length => Err(format!("is {length} bytes long; it must be {}", Self::rule()).into()),
        }
    }

    /// What is allowed, to follow "must be".
    pub fn rule() -> String {
        format!("a string of 1 to {} bytes, the same for all requests of which only the newest waits", Self::LONGEST)
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

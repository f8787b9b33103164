//! The label that says who holds a lock.

use crate::BrokenRule;

/// 1 to 256 bytes of UTF-8. A label for people; the token is the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// The longest owner, in bytes.
    pub const LONGEST: usize = 256;

    /// Checks a label.
    pub fn new(owner: String) -> Result<Self, BrokenRule> {
        match owner.len() {
            1..=Self::LONGEST => Ok(Self(owner)),
            length => Err(format!("is {length} bytes long; it must be {}", Self::rule()).into()),
        }
    }

    /// What is allowed, to follow "must be".
    pub fn rule() -> String {
        format!("a string of 1 to {} bytes that says who holds the lock", Self::LONGEST)
    }

    /// The label as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label as given.
    pub fn into_string(self) -> String {
        self.0
    }
}

//! What a holder says about its lock.

use std::borrow::Cow;

use crate::BrokenRule;

/// A text of at most 4,096 bytes that Gorilla keeps with the lock and returns unchanged. The domain does not look into
/// it: clients write JSON, and the layer that reads requests checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(Cow<'static, str>);

impl Metadata {
    /// The longest text, in bytes.
    pub const LONGEST: usize = 4096;

    /// Checks the length of a text.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<Self, BrokenRule> {
        let text = text.into();
        match text.len() {
            ..=Self::LONGEST => Ok(Self(text)),
            length => Err(format!("is {length} bytes of JSON; it must be at most {}", Self::LONGEST).into()),
        }
    }

    /// Takes back what was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

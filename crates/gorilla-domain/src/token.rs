//! The right to extend and to release.

use std::fmt;

use uuid::Uuid;

/// A UUIDv4 that only its holder knows, or something a client sent in its place. `Debug` hides it, and there is no
/// `Display`: a token is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A fresh one.
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// What a client sent. Text that is no UUID becomes a token that no lock has.
    pub fn from_client(text: &str) -> Self {
        match Uuid::try_parse(text) {
            Ok(uuid) => Self(uuid.to_string()),
            Err(_) => Self("-".into()),
        }
    }

    /// Takes back what was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Whether a lock could have it.
    pub fn is_uuid(&self) -> bool {
        self.0 != "-"
    }

    /// The text, to be told to Redis and to its holder.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

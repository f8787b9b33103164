//! The right to extend and to release.

use std::fmt;

use uuid::Uuid;

/// A UUIDv4 that only its holder knows, or something a client sent in its place. `Debug` hides it, and there is no
/// `Display`: a token is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// None if a client sent something else than a UUID, which no lock has as its token.
    uuid: Option<String>,
}

impl Token {
    /// A fresh one.
    pub fn random() -> Self {
        Self { uuid: Some(Uuid::new_v4().to_string()) }
    }

    /// What a client sent.
    pub fn from_client(text: &str) -> Self {
        Self { uuid: Uuid::try_parse(text).ok().map(|uuid| uuid.to_string()) }
    }

    /// Takes back what was stored.
    pub fn from_stored(text: String) -> Self {
        Self { uuid: Some(text) }
    }

    /// Whether a lock could have it.
    pub fn is_uuid(&self) -> bool {
        self.uuid.is_some()
    }

    /// The text, for Redis and for the holder; empty if no lock can have it.
    pub fn expose(&self) -> &str {
        self.uuid.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

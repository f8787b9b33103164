//! The right to extend and to release.

use std::fmt;

use uuid::Uuid;

use crate::uuid_text;

/// What only the holder of a lock knows, or something a client sent in its place: a UUIDv4, or of a shared lock the id of
/// the holder and a UUIDv4, with a dot between them. `Debug` hides it, and there is no `Display`: a token is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// None if a client sent something of another form, which no lock has as its token.
    text: Option<String>,
}

impl Token {
    /// A fresh one for a lock that has one holder.
    pub fn random() -> Self {
        Self { text: Some(uuid_text(Uuid::new_v4())) }
    }

    /// A fresh one for a holder of a shared lock.
    pub fn of_holder(id: &str) -> Self {
        Self { text: Some(format!("{id}.{}", Uuid::new_v4())) }
    }

    /// What a client sent.
    pub fn from_client(text: &str) -> Self {
        let uuid = |text| Uuid::try_parse(text).ok().map(uuid_text);
        let shared = || {
            let (id, secret) = text.split_once('.')?;
            Some(format!("{}.{}", uuid(id)?, uuid(secret)?))
        };
        Self { text: uuid(text).or_else(shared) }
    }

    /// Takes back what was stored.
    pub fn from_stored(text: String) -> Self {
        Self { text: Some(text) }
    }

    /// Whether a lock could have it.
    pub fn is_well_formed(&self) -> bool {
        self.text.is_some()
    }

    /// The text, for Redis and for the holder; empty if no lock can have it.
    pub fn expose(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Of a holder of a shared lock: its id, and the secret that only it knows.
    pub fn of_shared(&self) -> Option<(&str, &str)> {
        self.expose().split_once('.')
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_uuid_or_an_id_and_a_uuid() {
        let (id, secret) = ("01a207bc-4cb5-75c8-b04d-e6e049346456", "997f2fe4-d0cb-4d03-b066-beeea3b31eec");
        assert_eq!(Token::from_client(secret).expose(), secret);
        assert_eq!(Token::from_client(secret).of_shared(), None);
        let shared = format!("{id}.{secret}");
        assert_eq!(Token::from_client(&shared.to_uppercase()).of_shared(), Some((id, secret)));
        for other in ["", ".", "x", &format!("{id}."), &format!(".{secret}"), &format!("{id}.{secret}.{secret}")] {
            assert!(!Token::from_client(other).is_well_formed(), "{other}");
            assert_eq!(Token::from_client(other).expose(), "");
        }
        let fresh = Token::of_holder(id);
        assert_eq!(Token::from_client(fresh.expose()).of_shared(), fresh.of_shared());
    }
}

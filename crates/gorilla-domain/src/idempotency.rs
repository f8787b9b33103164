//! How a request can be sent twice and act once.

use sha2::{Digest, Sha256};

use crate::BrokenRule;

/// The client's name for one request on one resource: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// A digest of what a request asks for. It tells a copy of a request from another request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

/// A request that must act once, however often it arrives.
#[derive(Clone, Debug)]
pub struct Once {
    /// Its name.
    pub key: IdempotencyKey,
    /// What it asks for.
    pub fingerprint: Fingerprint,
}

impl IdempotencyKey {
    /// The longest key, in bytes.
    pub const LONGEST: usize = 255;

    /// Checks what a client sent.
    pub fn parse(value: &[u8]) -> Result<Self, BrokenRule> {
        let fits = (1..=Self::LONGEST).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(value) {
            Ok(text) if fits => Ok(Self(text.into())),
            _ => Err(format!("must be 1 to {} visible ASCII characters, a UUID for example", Self::LONGEST).into()),
        }
    }

    /// The key as a caller with this name means it. The names of callers have no colon, so that no two callers share a key.
    pub fn of(self, caller: &str) -> Self {
        Self(format!("{caller}:{}", self.0))
    }

    /// The key as given, behind the name of the caller if there is one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Once {
    /// The request with this name that asks for what the parts say.
    pub fn new(key: IdempotencyKey, parts: &[&str]) -> Self {
        Self { key, fingerprint: Fingerprint::of(parts) }
    }

    /// The request for several locks with this name that asks for what the parts say.
    pub fn of_set(key: IdempotencyKey, parts: &[&str]) -> Self {
        Self { key, fingerprint: Fingerprint::of_set(parts) }
    }
}

impl Fingerprint {
    /// Digests the parts of a request; their order and their borders count. 128 bits, as 32 hexadecimal digits.
    pub fn of(parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        Self(digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The same for the parts of a request for several locks. `set:` stands before the digits, because the store decides the
    /// copies of such a request in another way (`lua/lib/acquire.lua`).
    pub fn of_set(parts: &[&str]) -> Self {
        Self(format!("set:{}", Self::of(parts).0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn the_borders_between_parts_count() {
        assert_ne!(Fingerprint::of(&["ab", "c"]), Fingerprint::of(&["a", "bc"]));
        assert_eq!(Fingerprint::of(&["ab", "c"]), Fingerprint::of(&["ab", "c"]));
        assert_eq!(Fingerprint::of(&[]).as_str().len(), 32);
    }
}

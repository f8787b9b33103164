//! What the access file has instead of keys.

use std::fmt;

use sha2::{Digest as _, Sha256};

const PREFIX: &str = "sha256:";

/// The SHA-256 of a whole key as text. A key has 256 random bits, so nothing slower is needed to hide it. `Debug`
/// hides the digest; `Display` writes it as the access file has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What a digest looks like, to follow "must be".
    pub const RULE: &str = "sha256: and 64 hexadecimal digits, as `gorilla key new` prints it";

    /// The digest of a text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Reads a digest as the access file has it.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Digest(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of("abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::parse(text), Some(digest));
        assert_eq!(Digest::parse(&text.to_uppercase().replace("SHA256", "sha256")), Some(digest));
        assert_eq!(format!("{digest:?}"), "Digest(***)");
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let zeros = "0".repeat(64);
        for wrong in ["", "sha256:", &zeros, &format!("sha256:{zeros}0"), &format!("sha256:{}g", &zeros[1..])] {
            assert_eq!(Digest::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(Digest::parse(&format!("sha256:+{}", &zeros[1..])), None);
        assert_eq!(Digest::parse(&format!("sha1:{zeros}")), None);
        assert_eq!(Digest::parse(&format!("sha256:é{}", &zeros[2..])), None);
    }
}

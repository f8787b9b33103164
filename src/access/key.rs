//! API keys: `gorilla_`, 8 characters that name the key, `_`, 43 characters that nobody can guess, and 6 characters by which
//! typing errors and programs that look for lost secrets know it: the CRC-32 (IEEE) of all before it. The characters are
//! those of base62.

use std::fmt;

use sha2::Digest as _;

/// The characters of base62, by their values.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const START: &str = "gorilla_";
const NAME: usize = 8;
/// 62^43 is more than 2^256.
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
const LENGTH: usize = START.len() + NAME + 1 + SECRET + CHECKSUM;

/// An API key. `Debug` shows only its public name.
#[derive(Clone)]
pub struct Key(String);

/// What the access file has of a key: the SHA-256 of its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAKey {
    /// It does not have the form of a key.
    Malformed,
    /// The checksum at its end is not that of what is before it.
    BadChecksum,
}

impl Key {
    /// A new key from the random source of the operating system.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut text = String::with_capacity(LENGTH);
        text.push_str(START);
        push_random(&mut text, NAME)?;
        text.push('_');
        push_random(&mut text, SECRET)?;
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Ok(Self(text))
    }

    /// The key that a text is.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let (body, given) = text.split_at_checked(LENGTH - CHECKSUM).ok_or(NotAKey::Malformed)?;
        let rest = body.strip_prefix(START).and_then(|rest| rest.split_once('_')).ok_or(NotAKey::Malformed)?;
        let is_base62 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if given.len() != CHECKSUM || rest.0.len() != NAME || ![rest.0, rest.1, given].into_iter().all(is_base62) {
            return Err(NotAKey::Malformed);
        }
        if checksum(body) == given { Ok(Self(text.into())) } else { Err(NotAKey::BadChecksum) }
    }

    /// The characters that name the key, which are not secret.
    pub fn public_name(&self) -> &str {
        &self.0[START.len()..START.len() + NAME]
    }

    /// What the access file has of the key.
    pub fn digest(&self) -> Digest {
        Digest(sha2::Sha256::digest(self.0.as_bytes()).into())
    }

    /// The text, which is secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{START}{}_…", self.public_name())
    }
}

impl Digest {
    /// Reads `sha256:` and 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?.as_bytes();
        if hex.len() != 64 {
            return None;
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A digest of a secret that nobody can guess is not secret, but a log has no use for it.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("sha256:…")
    }
}

/// Appends so many characters, each with the same probability.
fn push_random(text: &mut String, count: usize) -> Result<(), getrandom::Error> {
    let wanted = text.len() + count;
    while text.len() < wanted {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        // 248 is the largest multiple of 62 that a byte can have. Larger bytes would make some characters more frequent.
        let fair = bytes.into_iter().filter(|byte| *byte < 248).map(|byte| char::from(DIGITS[usize::from(byte % 62)]));
        text.extend(fair.take(wanted - text.len()));
    }
    Ok(())
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_key_has_the_form_of_a_key_and_no_other_key_is_like_it() {
        let (one, other) = (Key::random().expect("random bytes"), Key::random().expect("random bytes"));
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), LENGTH);
        assert_eq!(Key::parse(one.expose()).map(|key| key.digest()), Ok(one.digest()));
        assert_eq!(format!("{one:?}"), format!("gorilla_{}_…", one.public_name()));
    }

    #[test]
    fn digests_are_read_as_they_are_written() {
        let digest = Key::random().expect("random bytes").digest();
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        let text = digest.to_string();
        for other in ["", "sha256:", &text[1..], &text[..70], &format!("{text}0"), &text.to_uppercase()] {
            assert_eq!(Digest::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_with_one_other_character_is_not_a_key() {
        let key = Key::random().expect("random bytes");
        for at in 0..LENGTH {
            let mut text = key.expose().as_bytes().to_vec();
            text[at] = if text[at] == b'x' { b'y' } else { b'x' };
            let text = String::from_utf8(text).expect("ASCII");
            assert!(Key::parse(&text).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_key_by_chance(text in ".{0,80}") {
            prop_assert!(Key::parse(&text).is_err());
        }
    }
}

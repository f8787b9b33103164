//! API keys: `gorilla_` and 8 digits that may be public, `_` and 43 secret digits, and 6 digits of a checksum.
//!
//! The digits are those of base 62. A secret scanner finds keys by this form, and knows by the checksum that a text is
//! a key and not an example of one.

use std::fmt;

use super::digest::Digest;

const PREFIX: &str = "gorilla_";
const ID: usize = 8;
/// So many digits of base 62 have 256 bits.
const SECRET: usize = 43;
/// Enough for the largest CRC32.
const CHECKSUM: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text of a key whose form and checksum are right. `Debug` hides the secret.
pub struct Key(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongKey {
    /// It doesn't have the form of a key.
    Malformed,
    /// It has the form, and a digit is wrong.
    BadChecksum,
}

impl Key {
    /// The length of every key, in bytes.
    pub const LENGTH: usize = PREFIX.len() + ID + 1 + SECRET + CHECKSUM;

    /// A new key, from the random source of the operating system.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let checked = format!("{PREFIX}{}_{}", random_digits(ID)?, random_digits(SECRET)?);
        let checksum = checksum(&checked);
        Ok(Self(checked + &checksum))
    }

    /// Checks the form and the checksum of a text.
    pub fn parse(text: &str) -> Result<Self, WrongKey> {
        let parts = || {
            let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
            let has_lengths = (id.len(), secret.len()) == (ID, SECRET + CHECKSUM);
            let has_digits = id.bytes().chain(secret.bytes()).all(|byte| byte.is_ascii_alphanumeric());
            (has_lengths && has_digits).then(|| text.split_at(Self::LENGTH - CHECKSUM))
        };
        let (checked, given) = parts().ok_or(WrongKey::Malformed)?;
        if checksum(checked) == given { Ok(Self(text.into())) } else { Err(WrongKey::BadChecksum) }
    }

    /// The whole key, which is secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of the key that may be public: logs and scanners name keys by it.
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + ID]
    }

    /// What the access file has instead of the key.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

impl fmt::Display for WrongKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "This is not a key of Gorilla",
            Self::BadChecksum => "The checksum of the key is wrong, so the key was changed or copied in part",
        })
    }
}

impl std::error::Error for WrongKey {}

/// Random digits, each as likely as the others.
fn random_digits(count: usize) -> Result<String, getrandom::Error> {
    // A larger byte would make some digits likelier than others.
    const LARGEST: u8 = (256 / DIGITS.len() * DIGITS.len() - 1) as u8;
    let mut digits = String::with_capacity(count);
    while digits.len() < count {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        let fair = bytes.into_iter().filter(|&byte| byte <= LARGEST).take(count - digits.len());
        digits.extend(fair.map(digit));
    }
    Ok(digits)
}

fn checksum(checked: &str) -> String {
    let mut rest = crc32fast::hash(checked.as_bytes());
    let mut digits = [' '; CHECKSUM];
    for place in digits.iter_mut().rev() {
        *place = digit((rest % 62) as u8);
        rest /= 62;
    }
    digits.iter().collect()
}

fn digit(number: u8) -> char {
    DIGITS[usize::from(number) % DIGITS.len()].into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Made with the CRC32 of zlib, as another program would check keys.
    const EXAMPLE: &str = "gorilla_Ab3dEf9h_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2nthbv";

    #[test]
    fn a_new_key_has_the_form_that_scanners_look_for() {
        let key = Key::generate().expect("random digits");
        let text = key.as_str();
        assert_eq!(text.len(), 66);
        let (head, secret) = text.rsplit_once('_').expect("two parts");
        assert_eq!(head, format!("gorilla_{}", key.id()));
        assert!((key.id().len(), secret.len()) == (8, 49) && secret.bytes().all(|byte| DIGITS.contains(&byte)));
        assert_eq!(Key::parse(text).map(|key| key.digest()), Ok(key.digest()));
        assert_ne!(Key::generate().expect("random digits").as_str(), text);
    }

    #[test]
    fn every_digit_is_as_likely_as_the_others() {
        let mut seen = BTreeMap::<u8, u32>::new();
        for byte in random_digits(62_000).expect("random digits").bytes() {
            *seen.entry(byte).or_default() += 1;
        }
        // 1,000 of each are expected, and 200 more or fewer are more than six standard deviations.
        assert!(seen.len() == 62 && seen.values().all(|count| (800..1_200).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_key_that_another_program_made_is_right() {
        let key = Key::parse(EXAMPLE).expect("a key");
        assert_eq!(key.id(), "Ab3dEf9h");
        let digest = "sha256:8365cac2283f9e154e25415d240e3051689aaab99c936e44509c526156d345d1";
        assert_eq!(key.digest().to_string(), digest);
    }

    #[test]
    fn debug_hides_the_secret() {
        let key = Key::parse(EXAMPLE).expect("a key");
        assert_eq!(format!("{key:?}"), "Key(Ab3dEf9h)");
    }

    #[test]
    fn what_has_another_form_is_malformed() {
        let without_id = EXAMPLE.replace("Ab3dEf9h", "");
        let two_parts = EXAMPLE.replace("0123", "01_3");
        let not_ascii = EXAMPLE.replace("0123", "01é");
        let wrong = [
            "",
            "gorilla_",
            "gorilla",
            &EXAMPLE[1..],
            &EXAMPLE[..65],
            &without_id,
            &two_parts,
            &not_ascii,
            &EXAMPLE.to_uppercase(),
            &format!("{EXAMPLE} "),
            &format!(" {EXAMPLE}"),
            &format!("{EXAMPLE}0"),
            &EXAMPLE.replace("0123", "01\n3"),
            &EXAMPLE.replace("0123", "01+3"),
            &EXAMPLE.replace("0123", "01\u{663}"),
        ];
        for text in wrong {
            assert_eq!(Key::parse(text).map(drop), Err(WrongKey::Malformed), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_key_with_another_digit_or_two_swapped_digits_is_no_key(at in 0..66_usize, to in 0..66_usize, other in "[0-9A-Za-z_]") {
            let mut changed = EXAMPLE.to_string();
            changed.replace_range(at..=at, &other);
            let mut swapped = EXAMPLE.as_bytes().to_vec();
            swapped.swap(at, to);
            for text in [changed, String::from_utf8(swapped).expect("ASCII")] {
                prop_assert_eq!(Key::parse(&text).is_ok(), text == EXAMPLE, "{}", text);
            }
        }

        #[test]
        fn any_text_is_a_key_or_is_refused_and_a_key_is_the_same_text(
            text in "\\PC*|gorilla_[0-9A-Za-z]{7,9}_[0-9A-Za-z_]{48,50}|.{66}",
        ) {
            match Key::parse(&text) {
                Ok(key) => prop_assert_eq!(key.as_str(), &text),
                Err(WrongKey::Malformed | WrongKey::BadChecksum) => {}
            }
        }

        #[test]
        fn the_right_checksum_and_no_other_makes_a_key(
            id in "[0-9A-Za-z]{8}", secret in "[0-9A-Za-z]{43}", guess in "[0-9A-Za-z]{6}",
        ) {
            let checked = format!("gorilla_{id}_{secret}");
            let right = checksum(&checked);
            prop_assert_eq!(Key::parse(&format!("{checked}{right}")).map(|key| key.id().to_string()), Ok(id));
            if guess != right {
                prop_assert_eq!(Key::parse(&format!("{checked}{guess}")).map(drop), Err(WrongKey::BadChecksum));
            }
        }
    }
}

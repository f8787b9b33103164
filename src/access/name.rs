//! What identities and roles are called.

use std::{fmt, str::FromStr};

/// 1 to 64 characters, which are small letters, digits, `.`, `_` and `-`; the first is a letter or a digit. There is no
/// colon, so that a key in Redis that has a name and something else is one thing only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongName;

impl Name {
    /// The longest name.
    pub const LONGEST: usize = 64;

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as given.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl FromStr for Name {
    type Err = WrongName;

    fn from_str(text: &str) -> Result<Self, WrongName> {
        let begins = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= Self::LONGEST
            && text.bytes().next().is_some_and(begins)
            && text.bytes().all(|byte| begins(byte) || b"._-".contains(&byte));
        if fits { Ok(Self(text.into())) } else { Err(WrongName) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WrongName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("must be 1 to 64 small letters, digits, '.', '_' or '-', and begin with a letter or a digit")
    }
}

impl std::error::Error for WrongName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_neither_colons_nor_capitals_nor_other_letters() {
        for right in ["a", "0", "orders-prod", "ci.eu_west-1", &"a".repeat(64)] {
            assert_eq!(right.parse::<Name>().map(Name::into_string), Ok(right.to_string()));
        }
        for wrong in ["", "A", "-a", ".a", "_a", "a:b", "a/b", "a b", "ä", "a\n", &"a".repeat(65)] {
            assert_eq!(wrong.parse::<Name>(), Err(WrongName), "{wrong:?}");
        }
    }
}

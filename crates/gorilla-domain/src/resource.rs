//! The name of what is locked.

use std::fmt;

use crate::BrokenRule;

/// 1 to 256 bytes of UTF-8 without control characters or `/`; neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceName(String);

impl ResourceName {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 256;

    /// Checks a name that is already percent-decoded.
    pub fn parse(name: &str) -> Result<Self, BrokenRule> {
        if name.is_empty() || name.len() > Self::LONGEST {
            return Err(
                format!("is {} bytes long; it must be 1 to {} bytes of UTF-8", name.len(), Self::LONGEST).into()
            );
        }
        if name == "." || name == ".." {
            return Err("must not be \".\" or \"..\", because clients and proxies rewrite such paths".into());
        }
        if name.contains('/') {
            return Err("must not contain \"/\", also not as %2F; use \":\" or \".\" to build a hierarchy".into());
        }
        if name.chars().any(char::is_control) {
            return Err("must not contain control characters such as NUL, tab or newline".into());
        }
        Ok(Self(name.into()))
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ResourceName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

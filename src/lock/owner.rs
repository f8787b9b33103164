//! The label that says who holds a lock.

use super::{Invalid, invalid::json_kind};

/// 1 to 256 bytes of UTF-8. A label for people; the token is the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// The longest owner, in bytes.
    pub const LONGEST: usize = 256;

    /// Reads a JSON value, or its absence.
    pub fn parse(raw: Option<&str>) -> Result<Self, Invalid> {
        let refuse = |problem: String| {
            let rule = format!("a string of 1 to {} bytes that says who holds the lock", Self::LONGEST);
            Invalid::new("owner", format!("{problem}; it must be {rule}"))
        };
        let raw = raw.ok_or_else(|| refuse("is missing".into()))?;
        if !raw.starts_with('"') {
            return Err(refuse(format!("is {}", json_kind(raw))));
        }
        let owner: String = serde_json::from_str(raw).map_err(|_| refuse("is not valid Unicode".into()))?;
        if owner.is_empty() || owner.len() > Self::LONGEST {
            return Err(refuse(format!("is {} bytes long", owner.len())));
        }
        Ok(Self(owner))
    }

    /// The label as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label as given.
    pub fn into_string(self) -> String {
        self.0
    }
}

//! A value that breaks its rule.

use std::{borrow::Cow, fmt};

/// What is wrong with a value and what is allowed, to follow the name of the value: "must be …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule(pub Cow<'static, str>);

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BrokenRule {}

impl From<&'static str> for BrokenRule {
    fn from(rule: &'static str) -> Self {
        Self(rule.into())
    }
}

impl From<String> for BrokenRule {
    fn from(rule: String) -> Self {
        Self(rule.into())
    }
}

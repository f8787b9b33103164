//! A field, header or parameter that breaks its rule.

use std::fmt;

use gorilla_domain::BrokenRule;

/// What is wrong with one field of a request. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field, as the client writes it.
    pub field: &'static str,
    /// What is wrong with its value, and what is allowed.
    pub rule: BrokenRule,
}

impl Invalid {
    /// `rule` follows the name of the field: "must be …".
    pub fn new(field: &'static str, rule: impl Into<BrokenRule>) -> Self {
        Self { field, rule: rule.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.field, self.rule)
    }
}

impl std::error::Error for Invalid {}

//! Why something failed.

use std::{fmt, ops::Deref};

/// Why something failed, as a sentence, and the id of the request if the server gave it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    sentence: String,
    request_id: Option<String>,
}

impl Why {
    pub(crate) fn of_request(sentence: impl Into<String>, request_id: Option<String>) -> Self {
        Self { sentence: sentence.into(), request_id }
    }

    /// The id under which the log of the server has the request. None where nothing was answered.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

impl From<String> for Why {
    fn from(sentence: String) -> Self {
        Self::of_request(sentence, None)
    }
}

impl From<&str> for Why {
    fn from(sentence: &str) -> Self {
        Self::of_request(sentence, None)
    }
}

impl Deref for Why {
    type Target = str;

    fn deref(&self) -> &str {
        &self.sentence
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

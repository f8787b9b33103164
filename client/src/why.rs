//! Why something failed.

use std::{fmt, ops::Deref};

/// A break of the lock that the client had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastBreak {
    /// When, RFC 3339 in UTC, by the clock of Redis.
    pub at: String,
    /// The name of the API key that did it, if the server tells it.
    pub by: Option<String>,
    /// Why, if somebody said so.
    pub reason: Option<String>,
}

/// Why something failed, as a sentence, and the id of the request if the server gave it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    sentence: String,
    request_id: Option<String>,
    broken: Option<Box<PastBreak>>,
}

impl Why {
    pub(crate) fn of_request(sentence: impl Into<String>, request_id: Option<String>) -> Self {
        Self { sentence: sentence.into(), request_id, broken: None }
    }

    /// The same of a lock that somebody has broken.
    pub(crate) fn after(self, broken: Option<PastBreak>) -> Self {
        Self { broken: broken.map(Box::new), ..self }
    }

    /// When the lock was broken, by whom and why, if that is why it is lost.
    pub fn broken(&self) -> Option<&PastBreak> {
        self.broken.as_deref()
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

//! What the server tells of locks.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The right to extend and to release a lock. Replaced by every extend.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// From what [`Token::expose`] gave.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Whoever has it may release the lock: it belongs into no log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A lock, for its holder. Its JSON has the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Lock {
    /// Of this tenure, the same through its extensions.
    pub id: String,
    /// Who holds it.
    pub owner: String,
    /// What is locked.
    pub resource: String,
    /// The right to it.
    pub token: Token,
    /// Larger than that of every grant of this resource before.
    pub fence: u64,
    /// What was given with the acquire.
    pub metadata: serde_json::Value,
    /// When it was granted, RFC 3339, by the server's clock.
    pub created_at: String,
    /// When its lease ends, RFC 3339, by the server's clock.
    pub expire_at: String,
    /// How long the lease lasted when the server answered.
    #[serde(rename = "ttlMs", serialize_with = "as_milliseconds", deserialize_with = "milliseconds")]
    pub ttl: Duration,
}

/// What everybody may know of a resource, with the names of the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct State {
    /// Its name.
    pub resource: String,
    /// Whether somebody holds it.
    pub held: bool,
    /// The holder's tenure and lease.
    #[serde(flatten)]
    pub tenure: Option<Tenure>,
    /// How many requests wait for it.
    pub waiting: u64,
}

/// The tenure of a holder, without its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tenure {
    /// Its id.
    pub id: String,
    /// Who holds the lock.
    pub owner: String,
    /// Its fencing token.
    pub fence: u64,
    /// What was given with the acquire.
    pub metadata: serde_json::Value,
    /// When the lock was granted, RFC 3339, by the server's clock.
    pub created_at: String,
    /// When it was last extended, RFC 3339, by the server's clock.
    pub updated_at: String,
    /// When its lease ends, RFC 3339, by the server's clock.
    pub expire_at: String,
    /// How long the lease lasted when the server answered, in milliseconds.
    pub ttl_ms: u64,
}

/// A part of all locks that are held.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Page {
    /// The locks, in no order. A page may be empty without being the last.
    pub locks: Vec<State>,
    /// What to ask for the next page with, if there is one.
    pub cursor: Option<String>,
}

/// A lock that was broken.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Broken {
    /// Its name.
    pub resource: String,
    /// The tenure that was ended.
    pub id: String,
    /// Who held it.
    pub owner: String,
    /// The holder's fencing token.
    pub fence: u64,
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

fn as_milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_millis() as u64)
}

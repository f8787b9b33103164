//! A rule of a script: which request comes next, and what the fake does.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::wire::On;

/// A rule. README.md has the members.
#[derive(Clone, Debug)]
pub struct Rule {
    pub on: On,
    pub times: Times,
    /// The name of the token in the script.
    pub token: Option<String>,
    pub resource: Option<String>,
    pub key: Option<Key>,
    pub body: Value,
    pub after: Option<(f64, f64)>,
    /// The header `Authorization`; null means absent.
    pub auth: Option<Value>,
    /// The status and the members of the body that the scenario gives.
    pub answer: Option<(u16, Value)>,
    pub headers: BTreeMap<String, String>,
    pub does: Vec<Action>,
    pub delay: f64,
}

/// How often a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Exactly(u64),
    Any,
    Some,
}

/// What the Idempotency-Key must be, beside that of the request before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Same,
    New,
}

/// What the fake does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Execute,
    Drop,
    Reset,
    Half,
    Hang,
    Html,
    Redirect,
    Idle,
}

impl Times {
    /// How often at least.
    pub fn least(self) -> u64 {
        match self {
            Self::Exactly(times) => times,
            Self::Any => 0,
            Self::Some => 1,
        }
    }

    /// How often at most.
    pub fn most(self) -> u64 {
        match self {
            Self::Exactly(times) => times,
            Self::Any | Self::Some => u64::MAX,
        }
    }
}

/// The members of a rule as they stand in the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    on: On,
    #[serde(default)]
    times: Option<Value>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    same_key: bool,
    #[serde(default)]
    new_key: bool,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    after: Option<(f64, f64)>,
    #[serde(default, deserialize_with = "also_null")]
    auth: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default, rename = "do")]
    does: Vec<Action>,
    #[serde(default)]
    delay: f64,
    /// The answer.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

fn also_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        let times = match &members.times {
            None => Times::Exactly(1),
            Some(Value::String(word)) if word == "any" => Times::Any,
            Some(Value::String(word)) if word == "some" => Times::Some,
            Some(other) => {
                Times::Exactly(other.as_u64().ok_or_else(|| de::Error::custom("times is a number, any or some"))?)
            }
        };
        let mut rest = members.rest.into_iter();
        let answer = match rest.next() {
            None => None,
            Some((status, body)) => {
                let status = status.parse().map_err(|_| de::Error::custom(format!("unknown member {status}")))?;
                Some((status, body))
            }
        };
        if let Some((another, _)) = rest.next() {
            return Err(de::Error::custom(format!("one answer is enough, and unknown members are none: {another}")));
        }
        let key = match (members.same_key, members.new_key) {
            (true, true) => return Err(de::Error::custom("a key is the same or new")),
            (true, false) => Some(Key::Same),
            (false, true) => Some(Key::New),
            (false, false) => None,
        };
        Ok(Self {
            on: members.on,
            times,
            token: members.token,
            resource: members.resource,
            key,
            body: members.body.unwrap_or_default(),
            after: members.after,
            auth: members.auth,
            answer,
            headers: members.headers,
            does: members.does,
            delay: members.delay,
        })
    }
}

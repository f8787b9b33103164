//! The bodies of answers that are not a success, in Gorilla's own form and in that of RFC 9457.
//!
//! A client needs the code and the outcome most. It reads them even if a server of another version leaves other members
//! out, or gives them another form.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::Code;

/// Whether a request that has no success may have changed anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
pub enum Outcome {
    /// It changed nothing.
    NotExecuted,
    /// Redis may have executed it. A client takes an outcome that it does not know for this one.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What an answer tells beside its code: each member where it applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Facts {
    /// The fencing token: larger than that of every earlier grant of the resource, below 2^53.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub fence: Option<u64>,
    /// With invalid_request about one field, parameter or header: its name.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub field: Option<String>,
    /// With invalid_request about an item of a batch: which item, counted from 0.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub index: Option<u64>,
    /// A label that says who holds the lock; 1 to 256 bytes.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Option<String>,
    /// With wait_timeout: the place in the queue at the time of the answer; 0 for a request without a place.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub position: Option<u64>,
    /// Milliseconds until Gorilla grants the lock again.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub recovering_ms: Option<u64>,
    /// As decoded from the path.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Option<String>,
    /// Milliseconds that remained when Redis answered.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ttl_ms: Option<u64>,
    /// Requests that wait for the lock.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waiting: Option<u64>,
    /// How the lock is held, where several clients hold it: `shared`.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::mode"))]
    pub mode: Option<crate::Mode>,
    /// The limit that is in force, in permits.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::permits"))]
    pub limit: Option<u64>,
    /// Permits that the holders have together.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub used: Option<u64>,
    /// Clients that hold the lock.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub holder_count: Option<u64>,
    /// With quota_exceeded: the limit in the access file that the API key has reached.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub quota: Option<String>,
    /// With a token whose grant somebody has broken: when, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub broken_at: Option<String>,
    /// With brokenAt: the name of the API key that broke it. Absent if no key was demanded, or if the key of this request may
    /// not look at the lock.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub broken_by: Option<String>,
    /// With brokenAt: why, if whoever broke it gave a reason.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub reason: Option<String>,
    /// With insufficient_scope: the verb that the API key does not allow.
    #[serde(deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub verb: Option<String>,
}

/// Gorilla's own form of an answer that is not a success. A client reads the code as text, because a server of a later
/// version may have more codes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Error"))]
pub struct Error<C = Code> {
    /// A sentence for a person; may change.
    #[serde(default, deserialize_with = "if_readable")]
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::always_there))]
    pub error_message: String,
    /// Stable.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::list_codes))]
    pub code: C,
    /// Whether this request may have changed anything.
    #[serde(default, deserialize_with = "if_readable")]
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub outcome: Outcome,
    /// What else there is to tell.
    #[serde(flatten)]
    pub facts: Facts,
}

/// Reads a member, or does without it if its value has a form that this version does not know.
fn if_readable<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).unwrap_or_default())
}

/// The form of RFC 9457 of an answer that is not a success, with the facts as extension members.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Problem {
    /// A URN that ends with the code.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schemars(regex(pattern = "^urn:gorilla:problem:")))]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The status of the answer.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::status"))]
    pub status: u16,
    /// A sentence for a person; may change.
    pub detail: String,
    /// Stable.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::list_codes))]
    pub code: Code,
    /// Whether this request may have changed anything.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub outcome: Outcome,
    /// What else there is to tell.
    #[serde(flatten)]
    pub facts: Facts,
}

impl From<Error> for Problem {
    fn from(Error { error_message, code, outcome, facts }: Error) -> Self {
        Self {
            kind: format!("urn:gorilla:problem:{}", code.as_str()),
            title: code.as_str().replace('_', " "),
            status: code.status().as_u16(),
            detail: error_message,
            code,
            outcome,
            facts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> serde_json::Result<Error<String>> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_client_reads_codes_outcomes_and_members_of_later_versions() {
        let error =
            read(r#"{"errorMessage":"No.","code":"new","outcome":"half","left":[],"waiting":1}"#).expect("an error");
        assert_eq!((error.code.as_str(), error.outcome, error.facts.waiting), ("new", Outcome::Unknown, Some(1)));
    }

    #[test]
    fn a_member_that_is_missing_or_has_another_form_hides_no_other() {
        let error = read(r#"{"errorMessage":["No."],"code":"new","outcome":"not_executed","waiting":"1","ttlMs":2}"#);
        let error = error.expect("an error");
        assert_eq!((error.error_message.as_str(), error.outcome), ("", Outcome::NotExecuted));
        assert_eq!((error.facts.waiting, error.facts.ttl_ms), (None, Some(2)));
        for outcome in ["", r#","outcome":null"#, r#","outcome":{"not_executed":true}"#] {
            let error = read(&format!(r#"{{"code":"new","fence":1{outcome}}}"#)).expect("an error");
            assert_eq!((error.outcome, error.facts.fence), (Outcome::Unknown, Some(1)), "{outcome}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_not_from_gorilla() {
        for answer in [r#"{"message":"No."}"#, r#"{"errorMessage":"No.","code":7}"#, "{}", "[]", "No."] {
            assert!(read(answer).is_err(), "{answer}");
        }
    }
}

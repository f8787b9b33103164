//! The bodies of requests.
//!
//! `V` is the type of the value of a field, and each side chooses it. The server has the JSON as it came, in a borrowed
//! `RawValue`, so that it can judge each value itself and say what is wrong with it. A client has what it writes.

use serde::{Deserialize, Deserializer, Serialize};

/// A body: a JSON object with these fields and no others, each at most once.
pub trait Body {
    /// The names of the fields.
    const FIELDS: &'static [&'static str];
}

/// Takes a lock, or waits for it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "Acquire", extend("required" = ["owner", "timeout"])))]
pub struct Acquire<V> {
    /// A label that says who holds the lock; 1 to 256 bytes.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Option<V>,
    /// Seconds, as a number or a numeric string, rounded to a millisecond; at most `limits.max_timeout` (86400 by
    /// default). The pattern is that of plain decimals; other forms of a number, such as "1e1", are taken too.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::timeout"))]
    pub timeout: Option<V>,
    /// Any JSON. Gorilla keeps a list as it is; null or a missing value becomes [], any other value the only element of
    /// a list. At most 4096 bytes without the white space between its parts, nested at most 64 deep.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::anything"))]
    pub metadata: Option<V>,
    /// Seconds to wait for the lock in a fair queue: a number or a numeric string, 0 to `limits.max_wait` (60 by
    /// default). With null, with 0 or without this field the request does not wait.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::wait"))]
    pub wait: Option<V>,
    /// Only for a request that has to wait: seconds before its arrival at which it counts as having arrived. So it comes
    /// before those that arrived within this time, and after all others. A number or a numeric string, 0 to
    /// `limits.max_wait` (60 by default).
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::wait"))]
    pub headstart: Option<V>,
    /// Only for a request that has to wait: a text of 1 to 256 bytes. When the request joins the queue, the request that
    /// waits there with the same text is dismissed (409 `replaced`).
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::replaces"))]
    pub replaces: Option<V>,
    /// `exclusive`, or `shared` for a lock that several clients hold at once. `exclusive` without this field.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::mode"))]
    pub mode: Option<V>,
    /// Only with `shared`: how many permits all holders together may have. Without it there is no limit, as for readers.
    /// While a limit is pinned, a request need not name it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub limit: Option<V>,
    /// Only with `limit`: how many permits this lock takes; 1 without this field.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub permits: Option<V>,
}

/// Takes several locks, all or none, or waits for them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "AcquireSet", extend("required" = ["owner", "timeout", "resources"])))]
pub struct AcquireSet<V> {
    /// A label that says who holds the locks; 1 to 256 bytes.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Option<V>,
    /// The lease of each lock. Seconds, as a number or a numeric string, rounded to a millisecond; at most
    /// `limits.max_timeout` (86400 by default). The pattern is that of plain decimals; other forms of a number, such as
    /// "1e1", are taken too.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::timeout"))]
    pub timeout: Option<V>,
    /// Kept with each lock, as in the acquire of one lock.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::anything"))]
    pub metadata: Option<V>,
    /// Seconds to wait for all locks together, in the fair queue of each: a number or a numeric string, 0 to
    /// `limits.max_wait` (60 by default). With null, with 0 or without this field the request does not wait.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::wait"))]
    pub wait: Option<V>,
    /// What to lock; no resource twice.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::set_parts"))]
    pub resources: Option<V>,
}

/// One resource of a set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "SetPart", extend("required" = ["resource"])))]
pub struct SetPart<V> {
    /// The name of the resource, by the rules of a name in a path, but not percent-encoded.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::resource"))]
    pub resource: Option<V>,
    /// As in the acquire of one lock.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::mode"))]
    pub mode: Option<V>,
    /// As in the acquire of one lock.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub limit: Option<V>,
    /// As in the acquire of one lock.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub permits: Option<V>,
}

/// Extends a lease.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "Extend", extend("required" = ["timeout"])))]
pub struct Extend<V> {
    /// Seconds, as a number or a numeric string, rounded to a millisecond; at most `limits.max_timeout` (86400 by
    /// default). The pattern is that of plain decimals; other forms of a number, such as "1e1", are taken too.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::timeout"))]
    pub timeout: Option<V>,
    /// Replaces the metadata, as in an acquire. Without this field the metadata stays.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::anything"))]
    pub metadata: Option<V>,
    /// With `false` the token stays; without this field, or with `true`, the answer has a new token.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::boolean"))]
    pub rotate: Option<V>,
    /// Converts the lock to this mode, `exclusive` or `shared`; without this field the mode stays.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::mode"))]
    pub mode: Option<V>,
    /// Only with `shared`: how many permits all holders together may have. Without it there is no limit, unless others who
    /// wait have named one.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub limit: Option<V>,
    /// Only with `limit`: how many permits this lock takes; 1 without this field.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub permits: Option<V>,
}

/// Frees a lock: the body, which has no fields, of an item of a batch. Alone a release takes nothing from its body.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Release {}

/// Ends a lock whose holder is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "Break"))]
pub struct Break<V> {
    /// Break the lock only if the current grant has this fence.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence_or_null"))]
    pub fence: Option<V>,
    /// Why, for the audit log.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::reason"))]
    pub reason: Option<V>,
    /// Seconds for which the holder may keep the lock, to come to an end; it can't extend the lock any more. A number or a
    /// numeric string, 0 to `limits.max_timeout` (86400 by default). With null, with 0 or without this field the lock ends
    /// at once.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::grace"))]
    pub grace: Option<V>,
}

/// Pins a limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "Pin", extend("required" = ["limit"])))]
pub struct Pin<V> {
    /// How many permits all holders of the shared lock may have.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::permits"))]
    pub limit: Option<V>,
}

impl<V> Body for Pin<V> {
    const FIELDS: &'static [&'static str] = &["limit"];
}

impl<V> Body for Acquire<V> {
    const FIELDS: &'static [&'static str] =
        &["owner", "timeout", "metadata", "wait", "headstart", "replaces", "mode", "limit", "permits"];
}

impl<V> Body for AcquireSet<V> {
    const FIELDS: &'static [&'static str] = &["owner", "timeout", "metadata", "wait", "resources"];
}

impl<V> Body for SetPart<V> {
    const FIELDS: &'static [&'static str] = &["resource", "mode", "limit", "permits"];
}

impl<V> Body for Extend<V> {
    const FIELDS: &'static [&'static str] = &["timeout", "metadata", "rotate", "mode", "limit", "permits"];
}

impl Body for Release {
    const FIELDS: &'static [&'static str] = &[];
}

impl<V> Body for Break<V> {
    const FIELDS: &'static [&'static str] = &["fence", "reason", "grace"];
}

/// Reads a field that the body has, also if its value is null: serde would take null for a missing field.
pub(crate) fn given<'de, V: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<V>, D::Error> {
    V::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The fields that serde knows: it names them when it refuses a field that it does not know.
    fn known<B: for<'de> Deserialize<'de> + std::fmt::Debug>() -> Vec<String> {
        let error = serde_json::from_value::<B>(json!({ "?": 0 })).expect_err("an unknown field").to_string();
        error.split('`').skip(3).step_by(2).map(String::from).collect()
    }

    #[test]
    fn the_names_of_the_fields_are_those_that_are_read() {
        assert_eq!(known::<Acquire<Value>>(), Acquire::<Value>::FIELDS);
        assert_eq!(known::<AcquireSet<Value>>(), AcquireSet::<Value>::FIELDS);
        assert_eq!(known::<SetPart<Value>>(), SetPart::<Value>::FIELDS);
        assert_eq!(known::<Extend<Value>>(), Extend::<Value>::FIELDS);
        assert_eq!(known::<Break<Value>>(), Break::<Value>::FIELDS);
        assert_eq!(known::<Pin<Value>>(), Pin::<Value>::FIELDS);
        assert_eq!(known::<crate::Campaign<Value>>(), crate::Campaign::<Value>::FIELDS);
        assert_eq!(known::<crate::Keep<Value>>(), crate::Keep::<Value>::FIELDS);
        assert_eq!(known::<crate::Batch<Value>>(), crate::Batch::<Value>::FIELDS);
    }

    #[test]
    fn null_is_a_value_and_what_is_not_given_is_not_written() {
        let body: Break<Value> = serde_json::from_str(r#"{"fence":null}"#).expect("a body");
        assert_eq!((&body.fence, &body.reason), (&Some(Value::Null), &None));
        assert_eq!(serde_json::to_string(&body).expect("JSON"), r#"{"fence":null}"#);
    }
}

//! The bodies of elections. An election is the lock of the same name: whoever holds it exclusively leads.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Acquire, Extend, Lock,
    request::{Body, given},
};

/// Campaigns for the leadership, or waits for it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "Campaign", extend("required" = ["owner", "timeout"])))]
pub struct Campaign<V> {
    /// A label that says who leads; 1 to 256 bytes.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Option<V>,
    /// The lease of a leader, which begins when it is elected. Seconds, as a number or a numeric string, rounded to a
    /// millisecond; at most `limits.max_timeout` (86400 by default). The pattern is that of plain decimals; other forms
    /// of a number, such as "1e1", are taken too.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::timeout"))]
    pub timeout: Option<V>,
    /// What a leader proclaims, such as its address: any JSON, as in the acquire of a lock.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::anything"))]
    pub metadata: Option<V>,
    /// Seconds to be a candidate, in a fair queue: a number or a numeric string, 0 to `limits.max_wait` (60 by default).
    /// With null, with 0 or without this field the request does not wait.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::wait"))]
    pub wait: Option<V>,
}

/// Keeps the leadership.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>"))]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(rename = "Keep", extend("required" = ["timeout"])))]
pub struct Keep<V> {
    /// The new lease, as in the extend of a lock.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::timeout"))]
    pub timeout: Option<V>,
    /// Proclaims this from now on. Without this field the metadata stays.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::anything"))]
    pub metadata: Option<V>,
    /// With `false` the token stays; without this field, or with `true`, the answer has a new token.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::boolean"))]
    pub rotate: Option<V>,
}

impl<V> Body for Campaign<V> {
    const FIELDS: &'static [&'static str] = &["owner", "timeout", "metadata", "wait"];
}

impl<V> Body for Keep<V> {
    const FIELDS: &'static [&'static str] = &["timeout", "metadata", "rotate"];
}

impl<V> From<Campaign<V>> for Acquire<V> {
    /// The acquire that a campaign is.
    fn from(Campaign { owner, timeout, metadata, wait }: Campaign<V>) -> Self {
        let (headstart, replaces, mode, limit, permits) = (None, None, None, None, None);
        Self { owner, timeout, metadata, wait, headstart, replaces, mode, limit, permits }
    }
}

impl<V> From<Keep<V>> for Extend<V> {
    /// The extend that keeps a leadership.
    fn from(Keep { timeout, metadata, rotate }: Keep<V>) -> Self {
        Self { timeout, metadata, rotate, mode: None, limit: None, permits: None }
    }
}

/// The leadership, for the leader: the lock, and its fence under the name that an election has for it. Its JSON has the
/// token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Leadership {
    /// The lock.
    #[serde(flatten)]
    pub lock: Lock,
    /// The fence of the lock: larger than every earlier term of the election, below 2^53.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub term: u64,
}

/// What everybody may know of an election.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Election"))]
pub struct Election<Text = String, Json = Value> {
    /// The name of the election, as decoded from the path.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Text,
    /// The leader; null while nobody leads, and while the lock of this name is shared.
    pub leader: Option<Leader<Text, Json>>,
    /// The term of the leader; null without a leader.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence_or_null"))]
    pub term: Option<u64>,
    /// How many requests wait to lead.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub candidates: u64,
    /// The milliseconds from when the replica had read the request until it asked Redis for what this answer tells. The
    /// `ttlMs` of the leader counts from then at the earliest.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: u64,
}

/// Who leads, without its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "Text: Deserialize<'de>, Json: Deserialize<'de>"))]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Leader"))]
pub struct Leader<Text = String, Json = Value> {
    /// The id of the tenure, a UUIDv7. It stays for the term.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::uuid"))]
    pub id: Text,
    /// Who leads: a label of 1 to 256 bytes.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Text,
    /// The term: the fence of the lock.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub term: u64,
    /// What the leader proclaims.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::list"))]
    pub metadata: Json,
    /// When it was elected, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub created_at: Text,
    /// When it last kept its leadership, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub updated_at: Text,
    /// When its lease ends, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub expire_at: Text,
    /// How long its lease lasted when Redis answered, in milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ttl_ms: u64,
    /// The name of the API key that was elected. Absent where no key was demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text"))]
    pub by: Option<Text>,
    /// True while somebody breaks the lock and has left the leader a grace; only then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::only_true"))]
    pub breaking: bool,
}

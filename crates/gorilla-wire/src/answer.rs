//! The bodies of successes.
//!
//! A client owns the texts and the JSON that it reads: the defaults of the type parameters. The server, which only
//! writes these bodies, borrows them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::seconds::{as_milliseconds, as_seconds};

/// The right to extend and to release a lock. Replaced by every extend that doesn't keep it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Makes a token again from what [`Token::expose`] gave.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Everybody who has it can release the lock, so never write it to a log.
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
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Lock {
    /// The id of the holder's tenure, a UUIDv7. Extends keep it.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::uuid"))]
    pub id: String,
    /// Who holds the lock: a label of 1 to 256 bytes.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: String,
    /// The name of the resource that is locked, as decoded from the path.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: String,
    /// The right to extend and to release it: a UUIDv4, replaced by every extend without `"rotate": false`. The token of a
    /// shared lock has the id of its holder and a dot before it.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::token"))]
    pub token: Token,
    /// The lease that was granted (acquire, extend), or the whole seconds that remain of it (status); on the wire in
    /// seconds.
    #[serde(with = "as_seconds")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::seconds"))]
    pub timeout: Duration,
    /// The metadata that the acquire or the last extend gave, without the white space between its parts.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::list"))]
    pub metadata: Value,
    /// When it was granted, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub created_at: String,
    /// When it was last extended, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub updated_at: String,
    /// When its lease ends, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub expire_at: String,
    /// The fencing token: larger than that of every earlier grant of the resource, below 2^53.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub fence: u64,
    /// How long the lease lasted when Redis answered; on the wire in milliseconds.
    #[serde(rename = "ttlMs", with = "as_milliseconds")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ttl: Duration,
    /// Only of a shared lock: its part of what all holders share.
    #[serde(flatten)]
    pub share: Option<Share>,
    /// How long the request waited, in milliseconds; only if it waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: Option<u64>,
    /// Only in the status: the name of the API key that took the lock. Absent where no key was demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text"))]
    pub by: Option<String>,
}

/// Several locks of one holder, for the holder. Its JSON has the tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LockSet {
    /// The locks, in the order of the request.
    pub locks: Vec<Lock>,
    /// How long all of them are held at least, counted from `waitedMs` after the request was sent; on the wire in
    /// milliseconds.
    #[serde(rename = "ttlMs", with = "as_milliseconds")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ttl: Duration,
    /// The milliseconds from when the replica had read the request until the leases began.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: u64,
}

/// How a resource is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
pub enum Mode {
    /// By one holder.
    #[default]
    Exclusive,
    /// By several holders.
    Shared,
}

/// The part that a holder has in a shared lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Share {
    /// Always `shared`.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub mode: Mode,
    /// How many permits the lock takes.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::permits"))]
    pub permits: u32,
    /// How many permits all holders together may have; null if there is no limit.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub limit: Option<u32>,
    /// The fence of the first lock of the present group of holders. A resource keeps the largest floor that it has seen,
    /// and refuses a fence below it: so holders of one group never refuse each other.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub floor: u64,
}

/// What everybody may know of a resource, with the names of the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "State"))]
pub struct State<Text = String, Json = Value> {
    /// The name of the resource, as decoded from the path.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Text,
    /// Whether somebody holds it.
    pub held: bool,
    /// The holder's tenure and lease.
    #[serde(flatten)]
    pub tenure: Option<Tenure<Text, Json>>,
    /// The holders, if several clients may hold the lock at once. Then the tenure is that of the holder that ends last.
    #[serde(flatten)]
    pub group: Option<Group<Text, Json>>,
    /// How many requests wait for it.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waiting: u64,
    /// True while somebody breaks the lock and has left its holder a grace; only then. Of a shared lock it is that of the
    /// holder that ends last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::only_true"))]
    pub breaking: bool,
}

/// The tenure of a holder, without its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "Text: Deserialize<'de>, Json: Deserialize<'de>"))]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Tenure"))]
pub struct Tenure<Text = String, Json = Value> {
    /// The id of the tenure, a UUIDv7. Extends keep it.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::uuid"))]
    pub id: Text,
    /// Who holds the lock: a label of 1 to 256 bytes.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Text,
    /// Its fencing token: larger than that of every earlier grant of the resource, below 2^53.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub fence: u64,
    /// The metadata that the acquire or the last extend gave, without the white space between its parts.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::list"))]
    pub metadata: Json,
    /// When the lock was granted, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub created_at: Text,
    /// When it was last extended, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub updated_at: Text,
    /// When its lease ends, RFC 3339 in UTC with milliseconds, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub expire_at: Text,
    /// How long the lease lasted when Redis answered, in milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ttl_ms: u64,
    /// How often the holder has extended its lease. Absent where that is not counted: of shared locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub renewals: Option<u64>,
    /// The name of the API key that took the lock. Absent where no key was demanded, and where the key of this request may
    /// not look at the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::text"))]
    pub by: Option<Text>,
}

/// The clients that share a lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Group"))]
pub struct Group<Text = String, Json = Value> {
    /// Always `shared`.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub mode: Mode,
    /// How many permits all holders together may have; null if there is no limit.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub limit: Option<u32>,
    /// How many permits they have.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub used: u64,
    /// How many holders there are.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub holder_count: u64,
    /// The holders, those first that end last: at most 100, and in a list of locks at most 10.
    pub holders: Vec<Holder<Text, Json>>,
}

/// One of the clients that share a lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Holder"))]
pub struct Holder<Text = String, Json = Value> {
    /// Its tenure and lease.
    #[serde(flatten)]
    pub tenure: Tenure<Text, Json>,
    /// How many permits it has.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::permits"))]
    pub permits: u32,
    /// True while somebody breaks its grant and has left it a grace; only then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::only_true"))]
    pub breaking: bool,
}

/// The requests that wait for a lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Queue"))]
pub struct Queue<Text = String> {
    /// The name of the resource, as decoded from the path.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Text,
    /// How many requests wait.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waiting: u64,
    /// The requests, first come, first served; at most as many as the parameter `limit` says.
    pub queue: Vec<Waiter<Text>>,
}

/// A request that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Waiter"))]
pub struct Waiter<Text = String> {
    /// The place in the queue, from 1.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub position: u64,
    /// Who asks: a label of 1 to 256 bytes.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Text,
    /// How it wants to hold the lock.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub mode: Mode,
    /// Only with `shared`: how many permits it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::permits"))]
    pub permits: Option<u32>,
    /// How long it has waited, in milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: u64,
    /// When it came, less its headstart: RFC 3339 in UTC with milliseconds, by the clock of Redis. Absent from a server of an
    /// older version, as are the next two.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub since: Option<Text>,
    /// The id of its place, a UUIDv7. It is the id of the tenure if the request is granted the lock.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::uuid"))]
    pub id: Option<Text>,
    /// The id of the replica at which it waits.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub replica: Option<Text>,
}

/// How many permits all holders of a shared lock may have.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Limit"))]
pub struct Limit<Text = String> {
    /// The name of the resource, as decoded from the path.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Text,
    /// The limit in force; null if there is none.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::limit"))]
    pub limit: Option<u32>,
    /// Whether it is pinned: in force also while nobody holds the lock or waits for it.
    pub pinned: bool,
}

/// A part of all locks that are held.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Page"))]
pub struct Page<S = State> {
    /// The locks: in the order that the parameter `sort` names, or else in no order. A page may be empty without being the
    /// last.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::held_locks"))]
    pub locks: Vec<S>,
    /// What the API key of the request may list: what the names of resources begin with, and whole names. Absent if no key
    /// is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<String>"))]
    pub scope: Option<Vec<String>>,
    /// The parameter `cursor` for the next page; null on the last page.
    pub cursor: Option<String>,
    /// How many locks there are; only with the parameter `sort`.
    #[serde(flatten)]
    pub counted: Option<Counted>,
}

/// How many locks a sorted list has, and when they were looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Counted"))]
pub struct Counted {
    /// Only with `sort`: how many locks were held that match the parameters, and that the caller may list.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub total: u64,
    /// Only with `sort`: when the replica began to look at all locks, by the clock of Redis. The order and the total are of
    /// then; the locks on the page are as they are now.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub counted_at: String,
    /// Only with `sort`: how much of all locks the order and the total are of, from 0 to 1. Below 1 the replica is looking at
    /// them for the first time: ask again.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::part"))]
    pub progress: f64,
}

/// A lock that was broken, or that ends after a grace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Broken"))]
pub struct Broken<Text = String> {
    /// The name of the resource, as decoded from the path.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: Text,
    /// The id of the tenure that the break ended or is about to end, a UUIDv7.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::uuid"))]
    pub id: Text,
    /// Who held it: a label of 1 to 256 bytes.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: Text,
    /// The holder's fencing token.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::fence"))]
    pub fence: u64,
    /// Only of a break with a grace: after how many milliseconds the lock ends at the latest; 0 if it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub ttl_ms: Option<u64>,
}

/// The process answers.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Health {
    /// Always `ok`.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub status: Alive,
    /// The version of the replica.
    pub version: &'static str,
}

/// Whether the process answers.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
pub enum Alive {
    /// It answers.
    Ok,
}

/// Clients and load balancers should send requests to this replica.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Ready {
    /// Always `ready`.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub status: Readiness,
}

/// Whether clients and load balancers should send requests to a replica.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
pub enum Readiness {
    /// They should send requests.
    Ready,
}

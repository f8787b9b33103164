//! Which locks are waited for, and who waits for whom: the answer of `/api/v1/contention`. docs/reference/fleet-data.md
//! has an example.

use serde::{Deserialize, Serialize};

/// The locks that were waited for, and who waits for whom now.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Contention {
    /// The time of Redis, RFC 3339 in UTC with milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub now: String,
    /// How long the range is that the figures are of, in seconds. It ends now.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub range_seconds: u64,
    /// What the API key of the request may list and inspect: what the names of resources begin with, and whole names.
    /// Absent if no key is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<String>"))]
    pub scope: Option<Vec<String>>,
    /// The locks, those first that were waited for the longest; at most 200.
    pub resources: Vec<Contended>,
    /// Those who hold what others wait for, and wait for nothing themselves; those first that block the most.
    pub blocking: Vec<Blocking>,
    /// Circles of owners, each of whom waits for the next. They are possible, because an owner is a label that several
    /// processes may share.
    pub cycles: Vec<Cycle>,
    /// Whether all of it is there: false if locks, waiters or branches of the tree were left out because there are too many.
    pub complete: bool,
}

/// A lock that was waited for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Contended {
    /// The name of the resource.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: String,
    /// Who holds it now; the holder that ends last, if several do. Null if nobody does.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name_or_null"))]
    pub owner: Option<String>,
    /// How many hold it now.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub holder_count: u64,
    /// How many requests wait for it now.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waiting: u64,
    /// How long the first in its queue has waited, in milliseconds; null if nobody waits.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count_or_null"))]
    pub oldest_wait_ms: Option<u64>,
    /// Waits that ended in the range, with the lock or without it.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waits: u64,
    /// How long they took together, in milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: u64,
    /// How long they took: 99 of 100 no longer, in milliseconds; null without a wait.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate_or_null"))]
    pub wait_p99_ms: Option<f64>,
    /// Waits that ended with the lock, in a minute.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate"))]
    pub handovers_per_minute: f64,
    /// How long the lock was held: half of the times no longer, in milliseconds; null without a release.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate_or_null"))]
    pub hold_p50_ms: Option<f64>,
    /// 99 of 100 no longer.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate_or_null"))]
    pub hold_p99_ms: Option<f64>,
    /// The most requests that waited at one replica at once.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub longest_queue: u64,
}

/// An owner that holds what others wait for, and waits for nothing: a root of the tree of those who block and wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Blocking {
    /// The owner.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: String,
    /// What it holds that others wait for.
    pub holds: Vec<String>,
    /// How many waiters are below it, with those that wait for its waiters.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub blocks: u64,
    /// Who waits for it.
    pub waiters: Vec<Waiting>,
}

/// An owner that waits, with those who wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// The owner.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: String,
    /// What it waits for.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: String,
    /// Its place in the queue of that, from 1.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub position: u64,
    /// How long it has waited, in milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: u64,
    /// What it holds that others wait for.
    pub holds: Vec<String>,
    /// Who waits for it. Empty if the owner stands at another place of the tree, where those are told.
    pub waiters: Vec<Waiting>,
}

/// Owners each of whom waits for the next, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Cycle {
    /// The waits, each for what the owner of the next holds.
    pub waits: Vec<CycleWait>,
    /// When the first lease of these locks ends, which ends the circle, unless `unless` renews it.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub resolves_at: String,
    /// The owner whose lease that is.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub unless: String,
    /// The lock whose lease that is.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: String,
}

/// A wait in a circle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CycleWait {
    /// Who waits.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub owner: String,
    /// What for.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub resource: String,
    /// Who holds that.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::name"))]
    pub holder: String,
    /// How long it has waited, in milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waited_ms: u64,
}

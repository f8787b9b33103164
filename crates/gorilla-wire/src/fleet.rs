//! What all replicas together do, for people who look after them: the answers of `/api/v1/stats`, `/replicas`, `/redis` and
//! `/me`. docs/reference/fleet-data.md has an example of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What all replicas did in a range of time, and what they do now.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Stats {
    /// The time of Redis, RFC 3339 in UTC with milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub now: String,
    /// How long the range is, in seconds. It ends now.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub range_seconds: u64,
    /// From one point of a series to the next, in seconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub step_seconds: u64,
    /// How many replicas were seen within 15 s.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub replicas: u64,
    /// How many locks are held; null until somebody has counted them. A replica counts them while somebody asks for this.
    pub held: Option<Count>,
    /// How many requests wait for a lock now, at all replicas.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waiting: u64,
    /// How many requests wait for Redis now, at all replicas.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub in_flight: u64,
    /// How many clients follow events now, at all replicas.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub listeners: u64,
    /// The last minute of the range.
    pub latest: Period,
    /// The whole range.
    pub total: Period,
    /// The range in steps.
    pub series: Series,
}

/// How many locks were held when they were counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Count {
    /// How many.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub count: u64,
    /// When, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub counted_at: String,
}

/// What all replicas did in a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Period {
    /// How much of the time is known, in seconds: less than asked for if no replica has told of the rest.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub seconds: u64,
    /// Acquires that were granted.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub grants: u64,
    /// Acquires that were not granted because others hold the lock or wait for it, at once or after a wait.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub refused: u64,
    /// Leases that were extended.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub extends: u64,
    /// Locks that were released.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub releases: u64,
    /// Locks that were broken.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub breaks: u64,
    /// Grants in a second.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate"))]
    pub grants_per_second: f64,
    /// Refused acquires in a second.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate"))]
    pub refused_per_second: f64,
    /// How long acquires waited for a lock: those that had to wait.
    pub wait: Spread,
    /// How long locks were held: those that were released by their holder, without a delay.
    pub hold: Spread,
    /// How long requests took that did not wait for a lock.
    pub latency: Spread,
}

/// How long something took. A replica counts in steps of an eighth, so a figure may be a tenth too low or too high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Spread {
    /// How often it was measured.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub count: u64,
    /// Half of them took no longer, in milliseconds; null without a measurement.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate_or_null"))]
    pub p50_ms: Option<f64>,
    /// 99 of 100 took no longer, in milliseconds; null without a measurement.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate_or_null"))]
    pub p99_ms: Option<f64>,
}

/// A range of time in steps, the oldest first. All lists have the same length; null is where nothing is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Series {
    /// When the first step begins, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub from: String,
    /// Locks that were held; only of steps in which somebody has counted them.
    pub held: Vec<Option<u64>>,
    /// Requests that waited for a lock.
    pub waiting: Vec<Option<u64>>,
    /// Grants in a second.
    pub grants_per_second: Vec<Option<f64>>,
    /// Refused acquires in a second.
    pub refused_per_second: Vec<Option<f64>>,
    /// How long acquires waited: 99 of 100 no longer, in milliseconds.
    pub wait_p99_ms: Vec<Option<f64>>,
    /// How long locks were held: half of them no longer, in milliseconds.
    pub hold_p50_ms: Vec<Option<f64>>,
    /// How long requests took that did not wait for a lock: 99 of 100 no longer, in milliseconds.
    pub latency_p99_ms: Vec<Option<f64>>,
}

/// The replicas that were seen within 15 s.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Replicas {
    /// The time of Redis, RFC 3339 in UTC with milliseconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub now: String,
    /// The id of the replica that answers.
    pub answered_by: String,
    /// The replicas, by their ids.
    pub replicas: Vec<Replica>,
}

/// A replica, as it has told of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Replica {
    /// A name that it has taken at its start. The queue of a lock has it too.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Whether load balancers should send requests to it.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub state: ReplicaState,
    /// When it began, by its own clock.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub started_at: String,
    /// When it told of itself last, by the clock of Redis.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub seen_at: String,
    /// Requests that wait for a lock there.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub waiters: u64,
    /// Clients that follow events there.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub listeners: u64,
    /// Requests that wait for Redis there.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub in_flight: u64,
    /// How long Redis took to answer it last, in milliseconds; null before the first answer.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate_or_null"))]
    pub round_trip_ms: Option<f64>,
    /// Its grants in a second, in the last minute.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate"))]
    pub grants_per_second: f64,
    /// Its refused acquires in a second, in the last minute.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate"))]
    pub refused_per_second: f64,
}

/// Whether load balancers should send requests to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
pub enum ReplicaState {
    /// They should.
    Ready,
    /// It must keep records in its audit file, and can't.
    NotReady,
    /// It is about to end.
    Draining,
}

/// Redis, as it tells of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Redis {
    /// How the replica that answers finds Redis.
    #[cfg_attr(feature = "openapi", schemars(transform = crate::openapi::values::enumerate))]
    pub topology: Topology,
    /// The master, or the masters of a Cluster in a steady order.
    pub nodes: Vec<RedisNode>,
    /// How long new grants wait after a loss of data, in milliseconds: the setting `redis.failover_grace`.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub failover_grace_ms: u64,
    /// How long new grants still wait, as far as the replica that answers knows, in milliseconds; 0 if they don't.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub grace_left_ms: u64,
    /// How many replicas of Redis must confirm each success: the setting `redis.min_replicas_ack`.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub required_acks: u64,
}

/// How a replica finds Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
pub enum Topology {
    /// By an address.
    Standalone,
    /// By asking Sentinel.
    Sentinel,
    /// By asking a node of a Cluster.
    Cluster,
}

/// A master.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RedisNode {
    /// Its address, as HOST:PORT; null if it is reached by a socket in the file system.
    pub address: Option<String>,
    /// Why it did not tell of itself; null if it did.
    pub problem: Option<String>,
    /// What it told; null if it did not.
    pub info: Option<RedisInfo>,
}

/// What a master tells of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RedisInfo {
    /// `redis` or `valkey`.
    pub server: String,
    /// Its version.
    pub version: String,
    /// `master` or `slave`, as it says.
    pub role: String,
    /// How long it has run, in seconds.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub uptime_seconds: u64,
    /// Memory that its data take, in bytes.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub memory_used_bytes: u64,
    /// Memory that its data may take, in bytes; null if it has no limit.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count_or_null"))]
    pub memory_limit_bytes: Option<u64>,
    /// How much of the limit is used, in percent; null if it has no limit.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::rate_or_null"))]
    pub memory_percent: Option<f64>,
    /// What it does when its memory is full, such as `noeviction`.
    pub eviction_policy: String,
    /// Whether it appends each write to a file.
    pub aof: bool,
    /// Whether the last write into that file succeeded; true without the file.
    pub aof_ok: bool,
    /// When it last saved all data into a file, by its own clock.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time"))]
    pub saved_at: String,
    /// Whether the last save succeeded.
    pub save_ok: bool,
    /// Connections to it.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub clients: u64,
    /// Commands in a second.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub commands_per_second: u64,
    /// Its replicas.
    pub replicas: Vec<RedisReplica>,
}

/// A replica of Redis, as its master sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RedisReplica {
    /// Its address, as HOST:PORT.
    pub address: String,
    /// `online` if it follows its master.
    pub state: String,
    /// Seconds since it was last heard of; null if Redis does not say.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count_or_null"))]
    pub lag_seconds: Option<u64>,
    /// How many bytes of the master's writes it has not confirmed.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::count"))]
    pub behind_bytes: u64,
}

/// Who asks, what it may do, and what the replica can.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Me {
    /// The id of the replica that answers.
    pub replica: String,
    /// The version of that replica.
    pub version: String,
    /// Whether requests need an API key.
    pub keys_demanded: bool,
    /// Whose API key the request has; null if no keys are demanded.
    pub identity: Option<Identity>,
    /// On which resources the caller may do what, by verb. A verb that it may do on none is not there.
    pub rights: BTreeMap<String, Resources>,
    /// What the keys of Gorilla in Redis begin with: the setting `redis.key_prefix`.
    #[serde(default)]
    pub key_prefix: String,
    /// What the replica can.
    pub features: Features,
}

/// Whose API key a request has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Identity {
    /// Its name in the access file.
    pub name: String,
    /// The name of its role.
    pub role: String,
    /// What the owners of its locks must begin with; null if they may be any.
    pub owner_prefix: Option<String>,
    /// When its key ends to be valid; null if it does not.
    #[cfg_attr(feature = "openapi", schemars(schema_with = "crate::openapi::values::time_or_null"))]
    pub expires_at: Option<String>,
}

/// Resources by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Resources {
    /// Whether these are all resources.
    pub all: bool,
    /// What their names begin with. An empty text is what all names begin with.
    pub prefixes: Vec<String>,
    /// Whole names.
    pub names: Vec<String>,
}

/// What a replica can.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "server"), non_exhaustive)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Features {
    /// When events are recorded: `listened` (while somebody listens), `always` or `off`.
    pub events: String,
    /// Whether the replica tells of itself, as the setting `events.pulse` says. Without it, stats, replicas and contention
    /// lack this replica.
    pub pulse: bool,
}

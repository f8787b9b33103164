//! What the document says of the operations that tell what all replicas together do.

use serde::Serialize;
use serde_json::json;

use super::{
    component::component,
    description::{Description, ok},
    parameters::of_range,
};
use crate::{
    Blocking, Contended, Contention, Count, Cycle, CycleWait, Features, Identity, Me, Period, Redis, RedisInfo,
    RedisNode, RedisReplica, Replica, ReplicaState, Replicas, Resources, Series, Spread, Stats, Topology, Waiting,
};

const NOW: &str = "2026-11-28T03:12:07.114Z";

/// What all replicas together do.
pub fn stats() -> Description {
    Description {
        id: "stats",
        summary: "What all replicas together do",
        description: "Each replica tells of itself every 5 s, in Redis; this adds it up. No name of a lock or an owner \
                      is in it.",
        parameters: vec![of_range()],
        ..answered("The figures.", "Stats", a_minute())
    }
}

/// The replicas.
pub fn replicas() -> Description {
    Description {
        id: "replicas",
        summary: "The replicas",
        description: "Those that have told of themselves within 15 s.",
        ..answered("The replicas.", "Replicas", one_replica())
    }
}

/// Which locks are waited for, and who waits for whom.
pub fn contention() -> Description {
    Description {
        id: "contention",
        summary: "Which locks are waited for, and who waits for whom",
        description: "Tells of locks that the caller may list and inspect. The figures are of the range, the owners \
                      and waiters of now.",
        parameters: vec![of_range()],
        ..answered("The contention.", "Contention", a_deploy())
    }
}

/// What Redis tells of itself.
pub fn redis() -> Description {
    Description {
        id: "redis",
        summary: "What Redis tells of itself",
        description: "Each master, and its replicas as it sees them. A replica asks at most every 2 s.",
        ..answered("Redis.", "Redis", a_master())
    }
}

/// Who asks, and what it may do.
pub fn me() -> Description {
    Description {
        id: "me",
        summary: "Who asks, and what it may do",
        description: "Needs a valid API key where keys are demanded, and no right.",
        ..answered("The caller.", "Me", somebody())
    }
}

/// A description with an answer, its schema and an example of it.
fn answered(description: &'static str, schema: &'static str, value: impl Serialize) -> Description {
    let successes = ok(description, &[], component("schemas", schema), json!({ "example": { "value": value } }));
    Description { id: "", tag: "fleet", summary: "", description: "", parameters: vec![], body: None, successes }
}

fn spread(count: u64, p50: f64, p99: f64) -> Spread {
    Spread { count, p50_ms: Some(p50), p99_ms: Some(p99) }
}

fn a_minute() -> Stats {
    let latest = Period {
        seconds: 60,
        grants: 5_040,
        refused: 720,
        extends: 2_412,
        releases: 5_031,
        breaks: 0,
        grants_per_second: 84.0,
        refused_per_second: 12.0,
        wait: spread(318, 410.0, 4_100.0),
        hold: spread(5_020, 800.0, 9_200.0),
        latency: spread(13_202, 0.8, 3.1),
    };
    Stats {
        now: NOW.into(),
        range_seconds: 900,
        step_seconds: 5,
        replicas: 3,
        held: Some(Count { count: 412, counted_at: "2026-11-28T03:12:04.000Z".into() }),
        waiting: 31,
        in_flight: 2,
        listeners: 4,
        total: Period { seconds: 900, grants: 75_600, ..latest.clone() },
        latest,
        series: Series {
            from: "2026-11-28T02:57:05.000Z".into(),
            held: vec![Some(409), None, Some(412)],
            waiting: vec![Some(28), Some(33), Some(31)],
            grants_per_second: vec![Some(81.2), Some(83.0), Some(84.4)],
            refused_per_second: vec![Some(11.0), Some(12.4), Some(12.0)],
            wait_p99_ms: vec![Some(3_900.0), None, Some(4_100.0)],
            hold_p50_ms: vec![Some(790.0), Some(810.0), Some(800.0)],
            latency_p99_ms: vec![Some(3.0), Some(3.3), Some(3.1)],
        },
    }
}

fn one_replica() -> Replicas {
    let one = Replica {
        id: "4f3a9c01d2e7".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        state: ReplicaState::Ready,
        started_at: "2026-11-27T18:01:12.004Z".into(),
        seen_at: "2026-11-28T03:12:04.310Z".into(),
        waiters: 12,
        listeners: 1,
        in_flight: 1,
        round_trip_ms: Some(0.4),
        grants_per_second: 28.2,
        refused_per_second: 4.1,
    };
    Replicas { now: NOW.into(), answered_by: one.id.clone(), replicas: vec![one] }
}

fn a_deploy() -> Contention {
    let contended = Contended {
        resource: "deploy-web".into(),
        owner: Some("ci/4711".into()),
        holder_count: 1,
        waiting: 24,
        oldest_wait_ms: Some(660_000),
        waits: 96,
        waited_ms: 3_412_000,
        wait_p99_ms: Some(59_000.0),
        handovers_per_minute: 2.2,
        hold_p50_ms: Some(24_000.0),
        hold_p99_ms: Some(61_000.0),
        longest_queue: 14,
    };
    let wait = |owner: &str, resource: &str, waited_ms, holds: &[&str], waiters| Waiting {
        owner: owner.into(),
        resource: resource.into(),
        position: 1,
        waited_ms,
        holds: holds.iter().map(|name| (*name).into()).collect(),
        waiters,
    };
    let waits = |owner: &str, resource: &str, holder: &str, waited_ms| CycleWait {
        owner: owner.into(),
        resource: resource.into(),
        holder: holder.into(),
        waited_ms,
    };
    Contention {
        now: NOW.into(),
        range_seconds: 900,
        scope: None,
        resources: vec![contended],
        blocking: vec![Blocking {
            owner: "ci/4711".into(),
            holds: vec!["deploy-web".into()],
            blocks: 2,
            waiters: vec![wait(
                "ci/4712",
                "deploy-web",
                660_000,
                &["db"],
                vec![wait("job-7", "db", 540_000, &[], vec![])],
            )],
        }],
        cycles: vec![Cycle {
            waits: vec![waits("a", "x", "b", 8_200), waits("b", "y", "a", 5_100)],
            resolves_at: "2026-11-28T03:14:20.000Z".into(),
            unless: "a".into(),
            resource: "y".into(),
        }],
        complete: true,
    }
}

fn a_master() -> Redis {
    let info = RedisInfo {
        server: "redis".into(),
        version: "7.0.15".into(),
        role: "master".into(),
        uptime_seconds: 1_209_600,
        memory_used_bytes: 48_234_496,
        memory_limit_bytes: Some(536_870_912),
        memory_percent: Some(9.0),
        eviction_policy: "noeviction".into(),
        aof: true,
        aof_ok: true,
        saved_at: "2026-11-28T03:00:00.000Z".into(),
        save_ok: true,
        clients: 9,
        commands_per_second: 412,
        replicas: vec![RedisReplica {
            address: "10.0.0.6:6379".into(),
            state: "online".into(),
            lag_seconds: Some(0),
            behind_bytes: 0,
        }],
    };
    Redis {
        topology: Topology::Sentinel,
        nodes: vec![RedisNode { address: Some("10.0.0.5:6379".into()), problem: None, info: Some(info) }],
        failover_grace_ms: 0,
        grace_left_ms: 0,
        required_acks: 0,
    }
}

fn somebody() -> Me {
    let orders = Resources { all: false, prefixes: vec!["orders:".into()], names: vec!["nightly".into()] };
    let (name, role) = ("orders-prod".into(), "orders".into());
    Me {
        replica: "4f3a9c01d2e7".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        keys_demanded: true,
        identity: Some(Identity { name, role, owner_prefix: Some("orders/".into()), expires_at: None }),
        rights: [("inspect", &orders), ("list", &orders)].map(|(verb, on)| (verb.into(), on.clone())).into(),
        key_prefix: "gorilla".into(),
        features: Features { events: "listened".into(), pulse: true },
    }
}

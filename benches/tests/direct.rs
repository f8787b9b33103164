//! The contestants that bring their own client, each on a Redis of its own: whether they lock and release, leave nothing,
//! and say what went wrong. The figures themselves mean nothing here.

use std::{
    io::{Write, stderr},
    net::TcpListener,
    process::Command,
};

use gorilla_harness::Redis;
use serde_json::Value;

/// How a trial of half a second with four clients ended.
enum Ended {
    Measured(Value),
    Failed(String),
    /// It can't run on this machine, and says why.
    Missing(String),
}

fn trial(contestant: &str, locks: &str, port: u16) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let ended = command.args(["direct", contestant, locks, &port.to_string(), "4", "0.1", "0.5"]).output();
    let ended = ended.expect("bench can be executed");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    match serde_json::from_slice(&ended.stdout) {
        Ok(measured) if ended.status.success() => Ended::Measured(measured),
        _ if said.starts_with(&format!("{contestant}: ")) => Ended::Failed(said),
        _ => Ended::Missing(said),
    }
}

/// What was measured, or None where the contestant is missing, which is said so that one sees it.
fn measured(contestant: &str, locks: &str, port: u16) -> Option<Value> {
    match trial(contestant, locks, port) {
        Ended::Measured(measured) => {
            let figure = |name: &str| measured[name].as_f64().unwrap_or_else(|| panic!("{contestant}: {measured}"));
            assert!(figure("cycles") > 0.0 && figure("client_cpu") > 0.0, "{contestant}: {measured}");
            assert!(0.0 < figure("p50") && figure("p50") <= figure("p99"), "{contestant}: {measured}");
            assert!(figure("p99") <= figure("longest"), "{contestant}: {measured}");
            // redis-benchmark is told how many, and not how long.
            assert!(figure("elapsed") > 0.1, "{contestant}: {measured}");
            Some(measured)
        }
        Ended::Failed(said) => panic!("{said}"),
        Ended::Missing(said) => {
            assert!(said.contains("apt-get") || said.contains("go install") || said.contains("PyPI"), "{said}");
            // Not captured by the test runner, as what println! writes is.
            let _ = writeln!(stderr(), "NOT TRIED: {contestant}: {said}");
            None
        }
    }
}

fn redis() -> Redis {
    Redis::start(&["--appendonly", "no"])
}

/// How often keys were deleted: each script that releases does it once, if the lock is held by who releases it.
fn deleted(redis: &Redis) -> f64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_del:calls=")?.split(',').next());
    calls.and_then(|calls| calls.parse().ok()).unwrap_or_default()
}

fn locks_and_releases(contestant: &str) {
    for locks in ["own", "one"] {
        let redis = redis();
        let Some(measured) = measured(contestant, locks, redis.port) else { return };
        assert_eq!(redis.cli(&["DBSIZE"]), "0", "{contestant} leaves a lock: {}", redis.cli(&["KEYS", "*"]));
        let cycles = measured["cycles"].as_f64().expect("a number");
        assert!(deleted(&redis) >= cycles, "{contestant} released {} locks: {measured}", deleted(&redis));
    }
}

#[test]
fn redis_py_locks_and_releases() {
    locks_and_releases("redis-py");
}

#[test]
fn redlock_locks_and_releases() {
    locks_and_releases("redlock");
}

#[test]
fn rslock_locks_and_releases() {
    locks_and_releases("rslock");
}

#[test]
fn dflockd_locks_and_releases_without_redis() {
    // Its own refusals end a trial: a grant has a token, and a release without the lock is an error.
    for locks in ["own", "one"] {
        let Some(measured) = measured("dflockd", locks, 1) else { return };
        assert!(measured["server_cpu"].as_f64() > Some(0.0), "{measured}");
    }
}

#[test]
fn redis_benchmark_locks_and_releases_with_the_scripts_and_leaves_nothing() {
    for contestant in ["redis-benchmark", "redis-benchmark-pipelined"] {
        let redis = redis();
        if measured(contestant, "own", redis.port).is_none() {
            return;
        }
        assert_eq!(redis.cli(&["INFO", "keyspace"]), "# Keyspace");
        assert!(deleted(&redis) > 0.0);
    }
}

#[test]
fn redis_benchmark_leaves_a_database_alone_that_is_in_use() {
    let redis = redis();
    redis.cli(&["-n", "15", "SET", "precious", "1"]);
    match trial("redis-benchmark", "own", redis.port) {
        Ended::Failed(said) => assert!(said.contains("which is to be empty"), "{said}"),
        Ended::Measured(measured) => panic!("{measured}"),
        Ended::Missing(said) => drop(writeln!(stderr(), "NOT TRIED: {said}")),
    }
    assert_eq!(redis.cli(&["-n", "15", "GET", "precious"]), "1");
}

/// Not redis-py, which tries for nine seconds.
#[test]
fn where_no_redis_listens_there_is_an_error_and_no_figure() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port").port();
    for (contestant, words) in
        [("redlock", "ECONNREFUSED"), ("rslock", "Resource is unavailable"), ("redis-benchmark", "no reply")]
    {
        match trial(contestant, "own", nobody) {
            Ended::Failed(said) => assert!(said.contains(words), "{contestant}: {said}"),
            Ended::Measured(measured) => panic!("{contestant}: {measured}"),
            Ended::Missing(said) => drop(writeln!(stderr(), "NOT TRIED: {contestant}: {said}")),
        }
    }
}

//! The contestants that need no replica, each on a Redis of its own: whether they lock and release, leave nothing, and
//! say what went wrong. The figures themselves mean nothing here.

use std::{io::Write, io::stderr, net::TcpListener, process::Command};

use gorilla_harness::Redis;
use serde_json::Value;

/// A trial of half a second with four clients: what was measured, or why not; None where the contestant is missing,
/// which is said so that one sees it.
fn tried(contestant: &str, workload: &str, port: u16) -> Option<Result<Value, String>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let ended =
        command.args(["try", contestant, &port.to_string(), workload, "4", "0.1", "0.5"]).output().expect("bench");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if ended.status.success() {
        return Some(Ok(serde_json::from_slice(&ended.stdout).expect("figures")));
    }
    if !said.contains(&format!("{contestant} is missing")) {
        return Some(Err(said));
    }
    assert!(said.contains("apt-get") || said.contains("go install") || said.contains("PyPI"), "{said}");
    // Not captured by the test runner, as what println! writes is.
    let _ = writeln!(stderr(), "NOT TRIED: {said}");
    None
}

fn measured(contestant: &str, workload: &str, port: u16) -> Option<Value> {
    let measured = tried(contestant, workload, port)?.unwrap_or_else(|said| panic!("{said}"));
    let figure = |name: &str| measured[name].as_f64().unwrap_or_else(|| panic!("{contestant}: {measured}"));
    assert!(figure("cycles_per_s") > 0.0 && figure("load_cpu_us") > 0.0, "{contestant}: {measured}");
    assert!(0.0 < figure("p50_us") && figure("p50_us") <= figure("p99_us"), "{contestant}: {measured}");
    Some(measured)
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

#[test]
fn clients_of_redis_lock_and_release_and_leave_nothing() {
    let libraries = ["redis-py", "redlock", "redis-semaphore", "rslock"]
        .into_iter()
        .flat_map(|one| [(one, "own-locks"), (one, "one-lock")]);
    let ceilings = ["redis-benchmark", "redis-benchmark-pipelined"].map(|one| (one, "own-locks"));
    for (contestant, workload) in libraries.chain(ceilings) {
        let redis = redis();
        let Some(measured) = measured(contestant, workload, redis.port) else { continue };
        assert_eq!(redis.cli(&["INFO", "keyspace"]), "# Keyspace", "{contestant} leaves something");
        // Half a second was measured, and more was done. redis-benchmark shares the time between acquires and releases.
        let least = if contestant.starts_with("redis-benchmark") { 0.1 } else { 0.5 };
        let least = measured["cycles_per_s"].as_f64().map(|rate| rate * least);
        assert!(Some(deleted(&redis)) >= least, "{contestant} released {} locks: {measured}", deleted(&redis));
    }
}

#[test]
fn servers_lock_and_release_as_contestants_toml_says() {
    // Their own refusals end a trial: an answer has to be as it stands there.
    for contestant in ["webdis", "etcd", "etcd-leases", "axum", "redis-ping", "dflockd"] {
        if let Some(measured) = measured(contestant, "own-locks", 1) {
            assert!(measured["replica_cpu_us"].as_f64() > Some(0.0), "{measured}");
            assert_eq!(measured["redis_cpu_us"].is_number(), contestant == "webdis", "{measured}");
        }
    }
}

#[test]
fn redis_benchmark_leaves_a_database_alone_that_is_in_use() {
    let redis = redis();
    redis.cli(&["-n", "15", "SET", "precious", "1"]);
    if let Some(tried) = tried("redis-benchmark", "own-locks", redis.port) {
        assert!(tried.expect_err("it is refused").contains("must be empty"));
    }
    assert_eq!(redis.cli(&["-n", "15", "GET", "precious"]), "1");
}

#[test]
fn where_no_redis_listens_there_is_an_error_and_no_figure() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port").port();
    // Not redis-py, which tries for nine seconds.
    let words = [
        ("redlock", "ECONNREFUSED"),
        ("redis-semaphore", "ECONNREFUSED"),
        ("rslock", "Resource is unavailable"),
        ("redis-benchmark", "no reply"),
    ];
    for (contestant, words) in words {
        if let Some(tried) = tried(contestant, "own-locks", nobody) {
            let said = tried.expect_err("no figure");
            assert!(said.contains(words), "{contestant}: {said}");
        }
    }
}

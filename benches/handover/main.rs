//! What a handover of a lock costs: `make bench`. Starts Redis and replicas of its own, and prints figures.
//!
//! Client and servers share the machine, and the clients share one thread, so the figures are those of a whole small
//! machine, and lower bounds for the servers.

mod hot;
mod http;
mod idle;
mod stats;

use gorilla_harness::{self as harness, Redis, Replica};

/// Replicas log as they do by default, one line a request.
async fn replicas(redis: &Redis, count: usize) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(Replica::on(redis).await);
    }
    replicas
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let limit = rustix::process::Rlimit { current: files, maximum: files };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("as many files as are allowed");
    let one = replicas(&redis, 1).await;
    let two = replicas(&redis, 2).await;
    for round in 1..=3 {
        println!("round {round}: 32 clients in a closed loop on one lock");
        hot::run("1 replica ", &redis, &one).await;
        hot::run("2 replicas", &redis, &two).await;
    }
    drop((one, two));
    for (waiters, locks) in [(10, 1), (10_000, 1), (10_000, 10_000), (10, 1)] {
        let replica = Replica::on(&redis).await;
        idle::run(&replica, waiters, locks).await;
    }
}

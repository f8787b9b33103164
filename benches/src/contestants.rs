//! All contestants by their names.

use std::{env::current_exe, path::Path};

use anyhow::{Context, Result};
use gorilla_harness::Replica;

use crate::{contestant::Contestant, described::file, programs, redis_benchmark, rslock, servers::Server};

/// Starts or prepares a contestant. An error says what is missing, and how to get it. Libraries use the Redis at that
/// port. `gorilla-other` is the program `other`.
pub fn prepare(name: &str, redis_port: u16, other: Option<&Path>) -> Result<Contestant> {
    let server = |name: &str, program: &Path| {
        let server = Server::start(name, program, 1)?;
        Ok(Contestant { what: server.what.clone(), take_turn: Box::new(move |task| server.take_turn(task)) })
    };
    match name {
        "gorilla-other" => server("gorilla", other.context("--other is missing, which names the program")?),
        "gorilla" => server(name, &Replica::program()),
        "rslock" => Ok(rslock::prepare(redis_port)),
        "redis-benchmark" => redis_benchmark::prepare(redis_port, 1),
        "redis-benchmark-pipelined" => redis_benchmark::prepare(redis_port, 16),
        _ if file().libraries.contains_key(name) => programs::prepare(name, redis_port),
        _ => server(name, &current_exe()?),
    }
}

/// The most clients of a contestant. Libraries are not made for more clients, each of which may be a thread.
pub fn most_clients(name: &str) -> u64 {
    if name == "gorilla-other" || file().servers.contains_key(name) { u64::MAX } else { 256 }
}

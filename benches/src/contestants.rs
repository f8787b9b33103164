//! All contestants by their names.

use std::{env::current_exe, path::Path};

use anyhow::{Context, Result};
use gorilla_harness::Replica;

use crate::{
    contestant::Contestant, described::file, programs, redis_benchmark, results::GORILLA, rslock, servers::Server,
};

/// Starts or prepares a contestant. An error says what is missing, and how to get it. Libraries use the Redis at that
/// port. `gorilla-other` is the program `other`.
pub fn prepare(name: &str, redis_port: u16, other: Option<&Path>) -> Result<Contestant> {
    let server = |of: &str, program: &Path, count: usize| {
        let mut server = Server::start(of, program, count)?;
        server.is_plain = name == "gorilla-plain";
        let more = if count > 1 { format!(", {count} replicas on one Redis") } else { String::new() };
        Ok(Contestant { what: server.what.clone() + &more, take_turn: Box::new(move |task| server.take_turn(task)) })
    };
    match name {
        "gorilla-other" => server(GORILLA, other.context("--other is missing, which names the program")?, 1),
        "gorilla-plain" => server(GORILLA, &Replica::program(), 1),
        "gorilla-2-replicas" => server(GORILLA, &Replica::program(), 2),
        GORILLA => server(name, &Replica::program(), 1),
        "rslock" => Ok(rslock::prepare(redis_port)),
        "redis-benchmark" => redis_benchmark::prepare(redis_port, 1),
        "redis-benchmark-pipelined" => redis_benchmark::prepare(redis_port, 16),
        _ if file().libraries.contains_key(name) => programs::prepare(name, redis_port),
        _ => server(name, &current_exe()?, 1),
    }
}

/// The most clients of a contestant. Libraries are not made for more clients, each of which may be a thread.
pub fn most_clients(name: &str) -> u64 {
    let is_library = file().libraries.contains_key(name);
    if is_library || ["rslock", "redis-benchmark", "redis-benchmark-pipelined"].contains(&name) {
        1000
    } else {
        u64::MAX
    }
}

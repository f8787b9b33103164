//! All contestants by their names, and the task of a contestant in its turn.

use std::{collections::BTreeMap, env::current_exe, path::Path, sync::LazyLock};

use anyhow::{Context, Result};
use clap::Args;
use gorilla_harness::Replica;
use serde::Deserialize;

use crate::{
    language::Language, programs, redis_benchmark, results::Figures, rslock, servers, servers::Server, workload,
    workload::Workload,
};

/// What contestants.toml says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub order: Vec<String>,
    pub servers: BTreeMap<String, servers::Described>,
    pub languages: BTreeMap<String, Language>,
    pub libraries: BTreeMap<String, programs::Described>,
}

pub fn file() -> &'static File {
    static FILE: LazyLock<File> =
        LazyLock::new(|| toml::from_str(include_str!("../contestants.toml")).expect("contestants.toml is well-formed"));
    &FILE
}

/// A way to take a lock, ready to be measured.
pub struct Contestant {
    /// Its version, and what one cycle of it does.
    pub what: String,
    /// Does a task, and returns what the clients saw.
    pub take_turn: Turn,
}

type Turn = Box<dyn Fn(&Task) -> Result<Figures>>;

/// What the clients do, and for how long. Clients that are programs of their own get it as arguments.
#[derive(Args, Clone, Copy, Debug)]
pub struct Task {
    /// What the clients do: own-locks or one-lock
    #[arg(value_parser = workload::named)]
    pub workload: &'static Workload,
    /// How many clients at once
    pub clients: usize,
    /// Seconds before anything counts
    pub warm_up: f64,
    /// Seconds that count
    pub measured: f64,
    /// With a rate, so many cycles a second are due over all clients, whether earlier cycles have ended or not: an open
    /// loop, which finds how long cycles take. Without a rate, each client begins its next cycle when its last cycle
    /// has ended: a closed loop, which finds how many cycles a second are possible.
    #[arg(skip)]
    pub rate: Option<f64>,
}

impl Task {
    /// The number of the lock that a client takes.
    pub fn lock(&self, client: usize) -> usize {
        if self.workload.one_lock { 0 } else { client }
    }
}

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

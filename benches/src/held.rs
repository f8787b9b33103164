//! Measures what an acquire costs while many other locks are held, and how much memory of Redis these locks take.

use anyhow::{Context, Result, ensure};
use gorilla_harness::Replica;
use itertools::Itertools;
use redis::{Connection, Value};
use uuid::Uuid;

use crate::{
    bench::Bench, bench::Turn, results::GORILLA, results::figures, scripts, scripts::Command, scripts::ask,
    servers::Server,
};

const NAME: &str = "held-locks";
/// So few that no request waits for another, so that the latency is that of the work.
const CLIENTS: usize = 4;
/// Commands on their way to Redis at once.
const TOGETHER: usize = 1000;
/// The lease of locks that are held: a day, in milliseconds.
const LEASE: u64 = 86_400_000;

/// Measures one deployment for each number of held locks, side by side.
pub fn measure(bench: &mut Bench) -> Result<()> {
    let mut deployments = vec![];
    for held in bench.wanted(NAME, &[0, 100_000, 1_000_000]) {
        let gorilla = Server::start(GORILLA, &Replica::program(), 1)?;
        let mut redis = scripts::connect(gorilla.nodes[0].port)?;
        let before = used_memory(&mut redis)?;
        take(&mut redis, held)?;
        // All that there is of the locks, the fences included.
        let added = used_memory(&mut redis)? - before;
        deployments.push((held, gorilla, figures([("redis_bytes_per_lock", (held > 0).then(|| added / held as f64))])));
    }
    let task = bench.task("own-locks", CLIENTS)?;
    let turns = deployments.iter().map(|(held, gorilla, memory)| -> Turn {
        let turn = || Ok(gorilla.take_turn(&task)?.into_iter().chain(memory.clone()).collect());
        (GORILLA, *held, Box::new(turn))
    });
    bench.take_turns(NAME, &turns.collect_vec())
}

fn name(lock: u64) -> String {
    format!("held-{lock:07}")
}

/// Acquires so many locks, with the script of Gorilla.
fn take(redis: &mut Connection, locks: u64) -> Result<()> {
    let acquire = |lock| {
        Command::of(&[scripts::acquire(&name(lock), &Uuid::now_v7().to_string(), &Uuid::new_v4().to_string(), LEASE)])
    };
    acquire(0).load(redis)?;
    // Otherwise Redis would write each thousand grants to disk before the next thousand.
    ask::<()>(redis, &["CONFIG", "SET", "appendfsync", "no"])?;
    pipeline(redis, locks, |lock| acquire(lock).evalsha())?;
    ask::<()>(redis, &["CONFIG", "SET", "appendfsync", "always"])?;
    let keys: u64 = ask(redis, &["DBSIZE"])?;
    ensure!(keys >= locks, "{locks} locks make {keys} keys");
    Ok(())
}

/// Sends a command for each lock, a thousand at a time. Fails if Redis replies to a command with an error.
fn pipeline(redis: &mut Connection, locks: u64, command: impl Fn(u64) -> redis::Cmd) -> Result<()> {
    for first in (0..locks).step_by(TOGETHER) {
        let mut pipe = redis::pipe();
        (first..locks.min(first + TOGETHER as u64)).for_each(|lock| _ = pipe.add_command(command(lock)));
        pipe.query::<Vec<Value>>(redis).context("could not fill Redis")?;
    }
    Ok(())
}

fn used_memory(redis: &mut Connection) -> Result<f64> {
    let info: String = ask(redis, &["INFO", "memory"])?;
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).context("INFO does not tell used_memory")
}

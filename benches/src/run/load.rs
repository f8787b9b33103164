//! One contestant's turn under load.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use super::{Figures, Options};
use crate::{
    contestant::Server,
    load::{self, Framing, Pace, Plan},
    proc::cpu,
    workload::Workload,
};

/// Loads a server, with a lock for each client or one for all.
pub fn measure(
    options: &Options,
    server: &dyn Server,
    workload: Workload,
    clients: usize,
    pace: Pace,
    one_lock: bool,
) -> Result<Figures, String> {
    // Locks that no turn before has left held.
    static LOCKS: AtomicUsize = AtomicUsize::new(0);
    let first = LOCKS.fetch_add(clients, Relaxed);
    let dialogues = (0..clients).map(|client| {
        let speech = if one_lock { server.waiting_speech(first) } else { server.speech(first + client) };
        workload.by(speech)
    });
    let plan = Plan {
        addresses: server.addresses(),
        framing: Framing::Http,
        pace,
        warm_up: options.warm_up(),
        measured: options.measured(),
    };
    let (replicas, redis) = (server.replicas(), server.redis());
    let mut used = Vec::new();
    let seen = load::run(&plan, dialogues.collect(), || used.push((cpu(&replicas), redis.map(|redis| cpu(&[redis])))))?;
    let [before, after] = used[..] else { return Err("counting began and did not end".into()) };
    if seen.cycles == 0 {
        return Err("not one cycle ended".into());
    }
    let seconds = seen.elapsed.as_secs_f64();
    let each = |used: Duration| used.as_secs_f64() * 1e6 / seen.requests as f64;
    let mut figures = Figures::from([
        ("cycles_per_s".into(), seen.cycles as f64 / seconds),
        ("p50_us".into(), seen.percentile_us(50.0)),
        ("p99_us".into(), seen.percentile_us(99.0)),
        ("p999_us".into(), seen.percentile_us(99.9)),
        ("replica_cpu_us".into(), each(after.0 - before.0)),
        ("load_cpu_us".into(), each(seen.cpu)),
        ("load_busy_percent".into(), seen.cpu.as_secs_f64() / seconds * 100.0),
    ]);
    if let (Some(before), Some(after)) = (before.1, after.1) {
        figures.insert("redis_cpu_us".into(), each(after - before));
    }
    if one_lock {
        figures.insert("longest_us".into(), seen.percentile_us(100.0));
    }
    if let Pace::Open(rate) = pace {
        figures.insert("offered_per_s".into(), rate);
    }
    Ok(figures)
}

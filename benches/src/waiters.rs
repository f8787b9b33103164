//! Measures many waiters, for one lock or for as many locks: first while nothing happens, then one handover after
//! another.

use std::{net::SocketAddr, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, stream::FuturesUnordered};
use gorilla_harness::{Redis, Replica};
use itertools::Itertools;

use crate::{
    bench::Bench, bench::Turn, http::Answer, http::Connection, load, load::histogram, load::percentile_us,
    machine::cpu_of, machine::resident, results::Figures, results::GORILLA, results::figures,
};

/// The workloads: a name, whether each waiter waits for its own lock, and the numbers of waiters.
const WAITERS: [(&str, bool, &[u64]); 2] =
    [("waiters", false, &[10, 1_000, 10_000]), ("waiters-own-locks", true, &[10_000])];
/// So many requests are sent before the next look at whether the replica keeps up: it refuses some where more are on their way
/// to Redis than `limits.max_in_flight`.
const TOGETHER: usize = 1_000;
/// Long enough for the second look of the waiters after they joined the queue.
const SETTLED: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(3);
const HANDOVERS: usize = 200;

/// Measures all workloads. Each has its own replica, because a process keeps memory that it has used once.
pub fn measure(bench: &mut Bench) -> Result<()> {
    let redis = Redis::start(&[]);
    for (workload, has_own_locks, waiters) in WAITERS {
        let turns = bench.wanted(workload, waiters).into_iter().map(|at| -> Turn {
            let (waiters, locks) = (at as usize, if has_own_locks { at as usize } else { 1 });
            let redis = &redis;
            let turn = async move || idle(&Replica::on(redis).await, waiters, locks).await;
            (GORILLA, at, Box::new(move || load::block_on(turn())))
        });
        bench.take_turns(workload, &turns.collect_vec())?;
    }
    Ok(())
}

async fn idle(replica: &Replica, waiters: usize, locks: usize) -> Result<Figures> {
    let (pid, base) = (replica.process.child.id(), gorilla_harness::name("idle"));
    let address: SocketAddr = replica.api.address.parse()?;
    let path = |index: usize| format!("/api/v1/locks/{base}-{}", index % locks);
    let mut holder = Connection::open(address).await?;
    let mut token = String::new();
    // The first lock comes last, because it is the lock that is handed over.
    for lock in (0..locks).rev() {
        token = granted(holder.ask("POST", &path(lock), r#"{"owner":"holder","timeout":600}"#).await?)?;
    }
    let empty = resident(pid)?;
    let mut connections = vec![];
    for _ in 0..waiters {
        let mut connection = Connection::open(address).await?;
        connection.ask("GET", "/_health", "").await?;
        connections.push(connection);
    }
    let connected = resident(pid)?;
    for (index, connection) in connections.iter_mut().enumerate() {
        connection.send("POST", &path(index), "", r#"{"owner":"waiter","timeout":600,"wait":55}"#).await?;
        if index % TOGETHER == TOGETHER - 1 {
            // Answered behind those that were sent before.
            let looked = holder.ask("GET", &path(0), "").await?;
            ensure!(looked.status == 200, "a look was answered {looked:?}");
        }
    }
    tokio::time::sleep(SETTLED).await;
    let (waiting, before) = (resident(pid)?, cpu_of(&[pid])?);
    tokio::time::sleep(IDLE).await;
    let used = cpu_of(&[pid])? - before;

    // Each waiter that is granted the lock releases it for the next waiter. Redis has decided the order of the waiters.
    let mut answers: FuturesUnordered<_> = connections.iter_mut().step_by(locks).map(Connection::answer).collect();
    let mut latency = histogram();
    for _ in 0..HANDOVERS.min(answers.len()) {
        let begun = Instant::now();
        holder.send("DELETE", &format!("{}/{token}", path(0)), "", "").await?;
        token = granted(answers.next().await.context("nobody waits")??)?;
        latency.saturating_record(begun.elapsed().as_nanos() as u64);
        let released = holder.answer().await?;
        ensure!(released.status == 204, "a release was answered {released:?}");
    }
    let each = |bytes: u64| bytes as f64 / waiters as f64;
    Ok(figures([
        ("p50_us", Some(percentile_us(&latency, 50.0))),
        ("p99_us", Some(percentile_us(&latency, 99.0))),
        ("bytes_per_waiter", Some(each(waiting.saturating_sub(empty)))),
        ("bytes_per_waiter_without_connection", Some(each(waiting.saturating_sub(connected)))),
        ("idle_percent", Some(used / IDLE.as_secs_f64() * 100.0)),
    ]))
}

fn granted(answer: Answer) -> Result<String> {
    let token = answer.word_after("\"token\":\"").filter(|_| answer.status == 200);
    token.map(String::from).with_context(|| format!("an acquire was answered {answer:?}"))
}

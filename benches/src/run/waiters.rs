//! Many waiters, for one lock or for as many locks, while nothing happens; then a handover after another.

use std::time::{Duration, Instant};

use futures_util::{
    StreamExt,
    stream::{self, FuturesUnordered},
};
use gorilla_harness::{Redis, Replica};

use super::{Bench, Figures, http::Connection};
use crate::{
    load::histogram,
    proc::{cpu, resident},
};

/// Who waits for one lock.
const WAITERS: [usize; 4] = [10, 100, 1_000, 10_000];
/// Who wait for as many locks.
const OF_OWN_LOCKS: usize = 10_000;
/// Long enough for the second look after they joined to be over.
const SETTLED: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(5);
const HANDOVERS: usize = 200;
/// Connections that are opened and acquires that are sent at once.
const TOGETHER: usize = 100;

impl Bench {
    /// A replica for each, because memory that was used once stays with a process.
    pub async fn waiters(&mut self) -> Result<(), String> {
        let redis = Redis::start(&[]);
        for round in 1..=self.options.rounds {
            if self.options.wants("waiters") {
                for waiters in WAITERS {
                    if !self.options.wants_at(waiters as u64) {
                        continue;
                    }
                    let figures = idle(&Replica::on(&redis).await, waiters, 1).await;
                    self.keep("waiters", "gorilla", waiters as u64, round, Ok(figures));
                }
            }
            if self.options.wants("waiters-own-locks") {
                let figures = idle(&Replica::on(&redis).await, OF_OWN_LOCKS, OF_OWN_LOCKS).await;
                self.keep("waiters-own-locks", "gorilla", OF_OWN_LOCKS as u64, round, Ok(figures));
            }
        }
        self.save()
    }
}

async fn idle(replica: &Replica, waiters: usize, locks: usize) -> Figures {
    let (pid, base, address) =
        (replica.process.child.id(), gorilla_harness::name("idle"), replica.api.address.as_str());
    let path = |index: usize| format!("/api/v1/locks/{base}-{}", index % locks);
    let mut holder = Connection::to(address).await;
    let mut held = Vec::new();
    for lock in 0..locks {
        holder.send("POST", &path(lock), "{\"owner\":\"holder\",\"timeout\":600}").await;
        held.push(holder.granted().await.1);
    }
    let open = |_| async {
        let mut connection = Connection::to(address).await;
        connection.send("GET", "/_health", "").await;
        connection.answer().await;
        connection
    };
    let empty = resident(pid);
    let connections: Vec<_> = stream::iter(0..waiters).map(open).buffered(TOGETHER).collect().await;
    let connected = resident(pid);
    let wait = |(index, mut connection): (usize, Connection)| {
        let path = path(index);
        async move {
            connection.send("POST", &path, "{\"owner\":\"waiter\",\"timeout\":600,\"wait\":55}").await;
            connection
        }
    };
    let connections: Vec<_> =
        stream::iter(connections.into_iter().enumerate()).map(wait).buffered(TOGETHER).collect().await;
    tokio::time::sleep(SETTLED).await;
    let (waiting, before) = (resident(pid), cpu(&[pid]));
    tokio::time::sleep(IDLE).await;
    let used = cpu(&[pid]) - before;

    // Each waiter that is granted the lock releases it for the next one. Who that is Redis has decided.
    let (of_first, others): (Vec<_>, Vec<_>) =
        connections.into_iter().enumerate().partition(|(index, _)| index % locks == 0);
    let mut granted: FuturesUnordered<_> =
        of_first.into_iter().map(|(_, mut connection)| async move { connection.granted().await.1 }).collect();
    let mut latency = histogram();
    let mut token = held[0].clone();
    for _ in 0..HANDOVERS.min(granted.len()) {
        let begun = Instant::now();
        holder.send("DELETE", &format!("{}/{token}", path(0)), "").await;
        token = granted.next().await.expect("somebody waits");
        latency.saturating_record(begun.elapsed().as_nanos() as u64);
        assert_eq!(holder.answer().await.0, 204);
    }
    drop(others);
    let each = |bytes: u64| bytes as f64 / waiters as f64;
    let percentile_us = |percent: f64| latency.value_at_percentile(percent) as f64 / 1000.0;
    Figures::from([
        ("p50_us".into(), percentile_us(50.0)),
        ("p99_us".into(), percentile_us(99.0)),
        ("bytes_per_waiter".into(), each(waiting.saturating_sub(empty))),
        ("bytes_per_waiter_without_connection".into(), each(waiting.saturating_sub(connected))),
        ("idle_percent".into(), used.as_secs_f64() / IDLE.as_secs_f64() * 100.0),
    ])
}

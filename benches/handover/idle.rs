//! Many waiters, for one lock or for as many locks, while nothing happens; then a handover.

use std::time::{Duration, Instant};

use futures_util::{
    StreamExt,
    stream::{self, FuturesUnordered},
};

use crate::{
    harness::{Replica, name},
    http::Connection,
    stats::{cpu, percentile, resident},
};

/// Long enough for the second look after they joined to be over.
const SETTLED: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(10);
const HANDOVERS: usize = 200;
/// Connections that are opened and acquires that are sent at once.
const TOGETHER: usize = 100;

pub async fn run(replica: &Replica, waiters: usize, locks: usize) {
    let (pid, base, address) = (replica.process.child.id(), name("idle"), replica.api.address.as_str());
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
    let (waiting, before) = (resident(pid), cpu(pid));
    tokio::time::sleep(IDLE).await;
    let used = cpu(pid) - before;

    // Each waiter that is granted the lock releases it for the next one. Who that is Redis has decided.
    let (of_first, others): (Vec<_>, Vec<_>) =
        connections.into_iter().enumerate().partition(|(index, _)| index % locks == 0);
    let mut granted: FuturesUnordered<_> =
        of_first.into_iter().map(|(_, mut connection)| async move { connection.granted().await.1 }).collect();
    let (mut latencies, mut token) = (Vec::new(), held[0].clone());
    for _ in 0..HANDOVERS.min(granted.len()) {
        let begun = Instant::now();
        holder.send("DELETE", &format!("{}/{token}", path(0)), "").await;
        token = granted.next().await.expect("somebody waits");
        latencies.push(begun.elapsed());
        assert_eq!(holder.answer().await.0, 204);
    }
    drop(others);
    latencies.sort_unstable();
    let each = |bytes: u64| bytes as f64 / 1024.0 / waiters as f64;
    println!(
        "{waiters} waiters for {locks} locks: {:.1} KiB resident each, {:.1} KiB of it for waiting; idle {:.2} % of a core; handover median {:?}, p99 {:?} of {}",
        each(waiting.saturating_sub(empty)),
        each(waiting.saturating_sub(connected)),
        used.as_secs_f64() / IDLE.as_secs_f64() * 100.0,
        percentile(&latencies, 50.0),
        percentile(&latencies, 99.0),
        latencies.len(),
    );
}

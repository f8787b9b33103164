//! Many clients, one lock, no work inside.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use crate::{
    harness::{Redis, Replica, name},
    http::Connection,
    stats::{cpu, percentile},
};

const CLIENTS: usize = 32;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(4);

/// What the clients share: they run on one thread.
#[derive(Default)]
struct Shared {
    /// When the release of the present holder was sent.
    released: Cell<Option<Instant>>,
    last_fence: Cell<u64>,
    handovers: RefCell<Vec<Duration>>,
    measuring: Cell<bool>,
    ended: Cell<bool>,
}

pub async fn run(what: &str, redis: &Redis, replicas: &[Replica]) {
    let (shared, path) = (Rc::new(Shared::default()), format!("/api/v1/locks/{}", name("hot")));
    let pids: Vec<_> = replicas.iter().map(|replica| replica.process.child.id()).collect();
    let used = || pids.iter().map(|&pid| cpu(pid)).sum::<Duration>();
    let messages = || stat(redis, "total_commands_processed");
    let clients = (0..CLIENTS).map(|index| {
        let (shared, path) = (Rc::clone(&shared), path.clone());
        let address = replicas[index % replicas.len()].api.address.clone();
        async move { client(index, &address, &path, &shared).await }
    });
    let clock = async {
        tokio::time::sleep(WARM_UP).await;
        shared.measuring.set(true);
        let (begun, used_before, commands, own) = (Instant::now(), used(), messages(), cpu(std::process::id()));
        tokio::time::sleep(MEASURED).await;
        shared.measuring.set(false);
        let figures = (begun.elapsed(), used() - used_before, messages() - commands, cpu(std::process::id()) - own);
        shared.ended.set(true);
        figures
    };
    let (grants, (elapsed, used, commands, own)) = tokio::join!(join_all(clients), clock);
    let mut handovers = shared.handovers.borrow().clone();
    handovers.sort_unstable();
    let count = handovers.len() as f64;
    let spread = grants.iter().max().unwrap_or(&0) - grants.iter().min().unwrap_or(&0);
    println!(
        "  {what}: {:.0} handovers/s, median {:?}, p99 {:?}, max {:?}, spread {spread}, {:.1} Redis commands, replicas {:.0} µs, clients {:.0} µs of CPU a handover",
        count / elapsed.as_secs_f64(),
        percentile(&handovers, 50.0),
        percentile(&handovers, 99.0),
        percentile(&handovers, 100.0),
        commands as f64 / count,
        used.as_micros() as f64 / count,
        own.as_micros() as f64 / count,
    );
}

/// Takes and releases the lock until time is up; how often while it was measured.
async fn client(index: usize, address: &str, path: &str, shared: &Shared) -> u64 {
    let mut connection = Connection::to(address).await;
    let body = format!("{{\"owner\":\"client-{index}\",\"timeout\":30,\"wait\":30}}");
    let mut grants = 0;
    while !shared.ended.get() {
        connection.send("POST", path, &body).await;
        let (fence, token) = connection.granted().await;
        assert!(fence > shared.last_fence.replace(fence), "fences rise");
        if let Some(released) = shared.released.take()
            && shared.measuring.get()
        {
            shared.handovers.borrow_mut().push(released.elapsed());
            grants += 1;
        }
        shared.released.set(Some(Instant::now()));
        connection.send("DELETE", &format!("{path}/{token}"), "").await;
        assert_eq!(connection.answer().await.0, 204);
    }
    grants
}

fn stat(redis: &Redis, field: &str) -> u64 {
    let info = redis.cli(&["INFO", "stats"]);
    let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|value| value.trim().parse().ok()).expect("Redis counts")
}

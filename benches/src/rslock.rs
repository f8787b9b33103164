//! The contestant rslock, a Rust library. Its clients are on one thread of this program.

use std::time::Duration;

use anyhow::Result;
use rslock::{Lock, LockManager};

use crate::{contestant::Contestant, load, load::Client, machine, task::Task, workload::Step};

const LEASE: Duration = Duration::from_secs(30);

/// Prepares the contestant, with the versions of the libraries in this program.
pub fn prepare(redis_port: u16) -> Contestant {
    let locked = |package| {
        let rest = include_str!("../../Cargo.lock").split(&format!("name = \"{package}\"\nversion = \"")).nth(1);
        rest.and_then(|rest| rest.split('"').next()).unwrap_or_default()
    };
    let what = format!(
        "rslock {} with redis-rs {} on one thread of tokio; all clients share a LockManager and so its connection, which \
         pipelines. A cycle is SET NX PX and a script that deletes. A waiter asks again after a random time below 200 ms",
        locked("rslock"),
        locked("redis")
    );
    let take_turn = move |task: &Task| {
        let manager = LockManager::new(vec![format!("redis://127.0.0.1:{redis_port}")]);
        let connect = async |client| {
            let (lock, waits) = (format!("bench-{}", task.lock(client)), task.workload.one_lock);
            Ok(OnRslock { manager: manager.clone(), lock, waits, held: None })
        };
        load::run(task, connect, &|| Ok([Some(machine::cpu_of_thread()?), None, None]))
    };
    Contestant { what, take_turn: Box::new(take_turn) }
}

struct OnRslock {
    manager: LockManager,
    lock: String,
    waits: bool,
    held: Option<Lock>,
}

impl Client for OnRslock {
    async fn step(&mut self, step: Step) -> Result<u64> {
        if let (Step::Release, Some(lock)) = (step, self.held.take()) {
            lock.release().await;
            return Ok(1);
        }
        // `lock` tries three times and then fails. `acquire` repeats `lock` for ever, whatever is wrong.
        self.held = Some(match self.waits {
            false => self.manager.lock(self.lock.as_str(), LEASE).await?,
            true => self.manager.acquire(self.lock.as_str(), LEASE).await?.lock,
        });
        Ok(1)
    }
}

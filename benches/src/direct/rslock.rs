//! rslock, the Rust library. Its part runs as a process of its own, `bench rslock`, so that its processor time is.

use std::{env, process::Command, time::Duration};

use rslock::{Lock, LockManager};
use rustix::time::{ClockId, clock_gettime};

use super::{
    LEASE, Locks, Task,
    clients::{self, Client},
    program::Library,
};

/// The contestant.
pub struct Rslock;

impl Library for Rslock {
    const NAME: &'static str = "rslock";

    fn prepare() -> Result<String, String> {
        Ok(format!(
            "rslock {} with redis-rs {} on one thread of tokio; all clients share a LockManager and so its connection, which \
             pipelines. A cycle is SET NX PX and a script that deletes. Who waits asks again after a random time below 200 ms",
            locked("rslock")?,
            locked("redis")?
        ))
    }

    fn clients() -> Result<Command, String> {
        let mut clients = Command::new(env::current_exe().map_err(|error| error.to_string())?);
        clients.arg("rslock");
        Ok(clients)
    }
}

/// The version of a package that this program was built with.
fn locked(package: &str) -> Result<&'static str, String> {
    let begins = format!("name = \"{package}\"\nversion = \"");
    let rest = include_str!("../../../Cargo.lock").split(&begins).nth(1);
    rest.and_then(|rest| rest.split('"').next()).ok_or_else(|| format!("{package} is not in Cargo.lock"))
}

/// What `bench rslock` does: the task, and a line of JSON.
pub fn as_a_process(task: Task) -> Result<String, String> {
    let manager = LockManager::new(vec![format!("redis://127.0.0.1:{}", task.port)]);
    let connect = async |resource| Ok(OnRslock { manager: manager.clone(), resource, locks: task.locks });
    let used = || {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        Ok((Duration::new(used.tv_sec as u64, used.tv_nsec as u32), None))
    };
    let measured = clients::run(task, connect, used)?;
    serde_json::to_string(&measured).map_err(|error| error.to_string())
}

struct OnRslock {
    manager: LockManager,
    resource: String,
    locks: Locks,
}

impl Client for OnRslock {
    type Held = Lock;

    async fn acquire(&mut self) -> Result<Lock, String> {
        let lock = match self.locks {
            // Tries three times and tells. `acquire` calls it for ever, whatever is wrong.
            Locks::Own => self.manager.lock(self.resource.as_str(), LEASE).await,
            Locks::One => self.manager.acquire(self.resource.as_str(), LEASE).await.map(|guard| guard.lock),
        };
        lock.map_err(|error| format!("rslock: {error}"))
    }

    async fn release(&mut self, lock: Lock) -> Result<(), String> {
        lock.release().await;
        Ok(())
    }
}

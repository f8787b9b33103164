//! What all tests need: Redis servers, replicas, a client, and patience.

mod access;
mod answer;
mod api;
mod authority;
mod cluster;
mod document;
mod process;
mod proxy;
mod redis;
mod replica;
mod security;
mod sentinel;
mod waiting;
mod wall_clock;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

pub use access::{AccessFile, Key, key_entry, role};
pub use answer::Answer;
pub use api::{Api, Connection, HangUp, lock_path, token};
pub use authority::{Authority, Issued};
pub use cluster::Cluster;
pub use process::Process;
pub use proxy::{Mode, Proxy};
pub use redis::Redis;
pub use replica::Replica;
pub use reqwest::Method;
pub use rustix::process::Signal;
pub use security::Security;
pub use sentinel::Sentinel;
pub use waiting::{ELECTION, eventually};
pub use wall_clock::WallClock;

/// The name of a resource that only this test uses, so that tests can share servers.
pub fn name(test: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{test}-{}", COUNT.fetch_add(1, Relaxed))
}

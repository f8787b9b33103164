//! What asynchronous commands run on.

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use super::messages::fail;

/// How many connections with something to read a replica serves before their commands go to Redis. If a replica served
/// all of them first, Redis would wait meanwhile, and then the connections for Redis. If it served fewer, requests of
/// the same moment would no longer go together.
const SERVED_TOGETHER: usize = 16;

/// The runtime of asynchronous commands. A single thread never has to wake another one, and sends the requests of many
/// connections to Redis together.
pub fn runtime(threads: usize) -> Result<Runtime, ExitCode> {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let built = builder.worker_threads(threads).max_io_events_per_tick(SERVED_TOGETHER).enable_all().build();
    built.map_err(|error| fail(format!("can't start threads: {error}.")))
}

//! What asynchronous commands run on.

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use super::messages::fail;

/// Connections with something to read that are served before what they ask for goes to Redis. All at once would have Redis
/// wait while they are read and them while Redis works; fewer, and requests that come in one moment no longer go together.
const SERVED_TOGETHER: usize = 16;

/// What asynchronous commands run on. A single thread needs no waking of others, and sends to Redis at once what many
/// connections asked for.
pub fn runtime(threads: usize) -> Result<Runtime, ExitCode> {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let built = builder.worker_threads(threads).max_io_events_per_tick(SERVED_TOGETHER).enable_all().build();
    built.map_err(|error| fail(format!("no threads can be started: {error}.")))
}

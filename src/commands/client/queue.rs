//! `gorilla queue`: shows who waits for a lock.

use std::process::ExitCode;

use clap::Args;

use super::{Remote, asking::name, remote::block_on, show};
use crate::commands::messages::tell;

/// Show the requests that wait for a lock.
#[derive(Args)]
#[command(
    after_help = "Exits with 0 also if nobody waits.\n\nExamples:\n  gorilla queue deploy\n  gorilla queue deploy --json | jq -r '.queue[].owner'"
)]
pub struct Queue {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Print JSON with the fields of the HTTP API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Queue {
    pub fn run(&self) -> Result<(), ExitCode> {
        let queue = block_on(self.remote.client()?.queue(&self.name))?;
        match self.json {
            true => show::json(&queue),
            false if queue.queue.is_empty() => tell(format_args!("nobody waits for {:?}.", self.name)),
            false => show::queue(&queue),
        }
        Ok(())
    }
}

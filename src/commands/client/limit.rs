//! `gorilla limit`: tells, pins or unpins the limit of a shared lock.

use std::process::ExitCode;

use clap::Args;

use super::{Remote, asking::name, remote::block_on, sharing::permits, show};

/// Show, pin or unpin how many permits the holders of a shared lock may have.
#[derive(Args)]
#[command(
    after_help = "The first client that shares a lock sets its limit, and all others must name the same limit. A pinned limit \
    is in force in any case, and clients need not name it. No holder is ended if the limit becomes less than what is taken: \
    nobody else gets in until it fits. If it becomes more, those who wait get in at once.\n\n\
    Examples:\n  gorilla limit deploys\n  gorilla limit deploys 5\n  gorilla limit deploys --unpin"
)]
pub struct Limit {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Pin this limit
    #[arg(value_name = "N", value_parser = permits(), conflicts_with = "unpin")]
    limit: Option<u32>,
    /// Unpin the limit: it goes with the last client that shares the lock or waits to do so
    #[arg(long)]
    unpin: bool,
    /// Print JSON with the fields of the HTTP API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Limit {
    pub fn run(&self) -> Result<(), ExitCode> {
        let client = self.remote.client()?;
        let limit = block_on(async {
            match (self.limit, self.unpin) {
                (Some(limit), _) => client.pin_limit(&self.name, limit).await,
                (None, true) => client.unpin_limit(&self.name).await,
                (None, false) => client.limit(&self.name).await,
            }
        })?;
        match self.json {
            true => show::json(&limit),
            false => show::limit(&limit),
        }
        Ok(())
    }
}

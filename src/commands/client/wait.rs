//! `gorilla wait`: waits until a lock is free or has changed, and takes nothing.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::{
    Remote,
    asking::{duration, name},
    remote::block_on,
    show::Form,
};
use crate::commands::exit;

/// Wait until nobody holds a lock, and take nothing.
#[derive(Args)]
#[command(
    after_help = "Exits with 0 as soon as nobody holds the lock, or with --changed as soon as another grant stands or none, \
    and with 75 if the time is over before. It reserves nothing: another client may take the lock at once. To take the \
    lock, use gorilla lock or gorilla acquire, which wait in the queue.\n\nExamples:\n  gorilla wait deploy-web && echo nobody deploys\n  \
    gorilla wait deploy-web --changed --wait 5m -q"
)]
pub struct Wait {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Wait until the lock changes hands: until another grant stands, or none
    #[arg(long)]
    changed: bool,
    /// The fence of the grant that you know, 0 for none [default: that of the grant that stands now]
    #[arg(long, value_name = "FENCE", requires = "changed")]
    fence: Option<u64>,
    /// Wait at most this long [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    remote: Remote,
}

impl Wait {
    pub fn run(&self) -> Result<(), ExitCode> {
        let client = self.remote.client()?;
        let wait = self.wait.unwrap_or(Duration::MAX);
        let (state, is_reached) = block_on(async {
            if !self.changed {
                let state = client.until_free(&self.name, wait).await?;
                let is_free = !state.held;
                return Ok((state, is_free));
            }
            let fence = |state: &gorilla_client::State| state.tenure.as_ref().map_or(0, |tenure| tenure.fence);
            let known = match self.fence {
                Some(fence) => fence,
                None => fence(&client.state(&self.name).await?),
            };
            let state = client.until_changed(&self.name, known, wait).await?;
            let has_changed = fence(&state) != known;
            Ok((state, has_changed))
        })?;
        self.form.state(&state);
        if is_reached { Ok(()) } else { Err(ExitCode::from(exit::NOT_ACQUIRED)) }
    }
}

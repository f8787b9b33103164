//! `gorilla extend`: renews the lease of a lock.: renews the lease of a lock.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::{
    Remote,
    asking::{duration, name},
    remote::block_on,
    show::Form,
    token::TokenSource,
};

/// Make the lease of a lock last longer.
#[derive(Args)]
#[command(after_help = "Example:\n  token=$(gorilla extend deploy \"$token\" --ttl 10m -q)")]
pub struct Extend {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    #[command(flatten)]
    token: TokenSource,
    /// The new lease, counted from now; at least the time that is left
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    ttl: Duration,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    remote: Remote,
}

impl Extend {
    pub fn run(&self) -> Result<(), ExitCode> {
        let (client, token) = (self.remote.client()?, self.token.require()?);
        let lock = block_on(client.extend(&self.name, &token, self.ttl))?;
        self.form.lock(&lock);
        Ok(())
    }
}

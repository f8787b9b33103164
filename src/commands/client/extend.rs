//! `gorilla extend`: renews the lease of a lock.: renews the lease of a lock.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::{
    Remote,
    asking::{duration, name},
    remote::block_on,
    sharing::Conversion,
    show::Form,
    token::TokenSource,
};

/// Make the lease of a lock last longer, or convert the lock.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  token=$(gorilla extend deploy \"$token\" --ttl 10m -q)\n  token=$(gorilla extend table \"$token\" --mode shared -q)"
)]
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
    conversion: Conversion,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    remote: Remote,
}

impl Extend {
    pub fn run(&self) -> Result<(), ExitCode> {
        let kind = self.conversion.kind()?;
        let (client, token) = (self.remote.client()?, self.token.require()?);
        let lock = block_on(async {
            match kind {
                None => client.extend(&self.name, &token, self.ttl).await,
                Some(kind) => client.convert(&self.name, &token, self.ttl, kind).await,
            }
        })?;
        self.form.lock(&lock);
        Ok(())
    }
}

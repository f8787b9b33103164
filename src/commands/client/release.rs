//! `gorilla release`: frees a lock.: frees a lock.

use std::process::ExitCode;

use clap::Args;

use super::{Remote, asking::name, remote::block_on, token::TokenSource};

/// Release a lock.
#[derive(Args)]
#[command(after_help = "Examples:\n  gorilla release deploy \"$token\"\n  gorilla release deploy - < token-file")]
pub struct Release {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    #[command(flatten)]
    token: TokenSource,
    #[command(flatten)]
    remote: Remote,
}

impl Release {
    pub fn run(&self) -> Result<(), ExitCode> {
        let (client, token) = (self.remote.client()?, self.token.require()?);
        block_on(client.release(&self.name, &token))
    }
}

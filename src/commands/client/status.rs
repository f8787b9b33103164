//! `gorilla status`: shows a lock.: shows a lock.

use std::process::ExitCode;

use clap::Args;

use super::{Remote, asking::name, remote::block_on, show::Form, token::TokenSource};

/// Show who holds a lock, since when, and how many requests wait.
#[derive(Args)]
#[command(
    after_help = "Exits with 0 if somebody holds the lock, and with 1 if nobody holds it. With a token it exits with 0 if the lock \
    has this token, and with 76 if not.\n\nExamples:\n  gorilla status deploy\n  until ! gorilla status deploy -q; do sleep 1; done"
)]
pub struct Status {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    #[command(flatten)]
    token: TokenSource,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    remote: Remote,
}

impl Status {
    pub fn run(&self) -> Result<(), ExitCode> {
        let (client, token) = (self.remote.client()?, self.token.read()?);
        if let Some(token) = token {
            let lock = block_on(client.status(&self.name, &token))?;
            self.form.lock(&lock);
            return Ok(());
        }
        let state = block_on(client.state(&self.name))?;
        self.form.state(&state);
        if state.held { Ok(()) } else { Err(ExitCode::FAILURE) }
    }
}

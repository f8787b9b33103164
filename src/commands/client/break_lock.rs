//! `gorilla break`: ends a lock without its token.: ends a lock without its token.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

use clap::Args;

use super::{Remote, asking::name, remote::block_on, show};
use crate::commands::{exit, messages::tell};

/// End a lock whose holder is gone.
#[derive(Args)]
#[command(
    after_help = "Breaking a lock does not stop its holder: look first who holds it. Without --fence, the lock is broken only if \
    it is still held by the holder that was shown.\n\nExample:\n  gorilla break deploy --reason 'ci-7 was switched off'"
)]
pub struct Break {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Why you break the lock, for the server's audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Break the lock only while its grant has this fence
    #[arg(long, value_name = "FENCE")]
    fence: Option<u64>,
    /// Break the lock without asking
    #[arg(short, long)]
    yes: bool,
    /// Print JSON with the fields of the HTTP API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Break {
    pub fn run(&self) -> Result<(), ExitCode> {
        let client = self.remote.client()?;
        let state = block_on(client.state(&self.name))?;
        let Some(tenure) = &state.tenure else {
            tell(format_args!("nobody holds {:?}.", self.name));
            return Err(ExitCode::FAILURE);
        };
        if !self.yes {
            if !io::stdin().is_terminal() {
                tell("there is no terminal to ask on; give --yes to break the lock without asking.");
                return Err(ExitCode::from(exit::USAGE));
            }
            let age = show::age(tenure);
            eprint!(
                "{:?} is held by {:?} for {age} (fence {}). Break it? [y/N] ",
                self.name, tenure.owner, tenure.fence
            );
            let mut answer = String::new();
            let read = io::stderr().flush().and_then(|()| io::stdin().lock().read_line(&mut answer));
            if read.is_err() || !matches!(answer.trim(), "y" | "Y" | "yes") {
                tell("not broken.");
                return Err(ExitCode::FAILURE);
            }
        }
        let fence = self.fence.unwrap_or(tenure.fence);
        let broken = block_on(client.break_lock(&self.name, Some(fence), &self.reason))?;
        match self.json {
            true => show::json(&broken),
            false => println!("Broke {:?}, held by {:?} (fence {}).", broken.resource, broken.owner, broken.fence),
        }
        Ok(())
    }
}

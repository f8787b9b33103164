//! `gorilla key`: API keys.

mod check;
mod new;

use std::process::ExitCode;

use clap::Subcommand;

/// Make and check API keys.
#[derive(Subcommand)]
pub enum Key {
    New(new::New),
    Check(check::Check),
}

impl Key {
    pub fn run(self) -> Result<(), ExitCode> {
        match self {
            Self::New(new) => new.run(),
            Self::Check(check) => check.run(),
        }
    }
}

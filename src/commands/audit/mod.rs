//! `gorilla audit`: audit files.

mod verify;

use std::process::ExitCode;

use clap::Subcommand;

/// Verify audit files.
#[derive(Subcommand)]
pub enum Audit {
    Verify(verify::Verify),
}

impl Audit {
    pub fn run(&self) -> Result<(), ExitCode> {
        match self {
            Self::Verify(verify) => verify.run(),
        }
    }
}

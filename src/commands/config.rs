//! `gorilla config check` and `gorilla config show`

use std::process::ExitCode;

use clap::Subcommand;

use super::{exit, sources::Sources};
use crate::settings::Settings;

/// Look at the settings of a server.
#[derive(Subcommand)]
pub enum Config {
    /// List every problem with the settings, and its source
    Check(Sources),
    /// Print the settings in force with their sources, secrets masked
    Show(Sources),
}

impl Config {
    pub fn run(&self) -> Result<(), ExitCode> {
        match self {
            Self::Check(sources) => {
                Sources::access(&sources.load_to_serve()?)?;
                println!("The settings are valid.");
            }
            Self::Show(sources) => match Settings::show(sources.config.as_deref(), &sources.flags()) {
                Ok(text) => print!("{text}"),
                Err(problems) => {
                    eprint!("gorilla: the settings are wrong:\n{problems}");
                    return Err(ExitCode::from(exit::CONFIG));
                }
            },
        }
        Ok(())
    }
}

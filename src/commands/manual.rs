//! `gorilla completions` and `gorilla man`, which clap makes from the definitions of the commands.

use std::{fs, io, path::PathBuf, process::ExitCode};

use clap::{Args, Command};
use clap_complete::Shell;

use super::messages::fail;

/// Print the completions of the commands for a shell.
#[derive(Args)]
#[command(after_help = "Example:\n  gorilla completions bash > ~/.local/share/bash-completion/completions/gorilla")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Write man pages into a folder.
#[derive(Args)]
#[command(after_help = "Example:\n  gorilla man ~/.local/share/man/man1 && man gorilla-lock")]
pub struct Man {
    /// The folder to write to
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Completions {
    pub fn run(&self, mut gorilla: Command) -> Result<(), ExitCode> {
        clap_complete::generate(self.shell, &mut gorilla, "gorilla", &mut io::stdout());
        Ok(())
    }
}

impl Man {
    pub fn run(&self, gorilla: Command) -> Result<(), ExitCode> {
        let written = fs::create_dir_all(&self.folder).and_then(|()| clap_mangen::generate_to(gorilla, &self.folder));
        written.map_err(|error| fail(format!("the pages can't be written to {}: {error}.", self.folder.display())))
    }
}

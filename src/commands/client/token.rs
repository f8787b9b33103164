//! The token that the user gives to a command.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use gorilla_client::Token;

use crate::commands::{exit, messages::tell};

/// Where to read the token.
#[derive(Args)]
pub struct TokenSource {
    /// The token of the lock; `-` reads it from standard input, which keeps it out of lists of processes
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    /// Read the token from this file, such as /dev/fd/$GORILLA_LOCK_TOKEN_FD
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl TokenSource {
    /// The token, if the user gave one.
    pub fn read(&self) -> Result<Option<Token>, ExitCode> {
        let stdin = || from("standard input", |text| io::stdin().read_to_string(text).map(drop));
        let text = match (&self.token, &self.token_file) {
            (Some(dash), _) if dash == "-" => stdin(),
            (_, Some(dash)) if dash == Path::new("-") => stdin(),
            (Some(token), _) => Ok(token.clone()),
            (None, Some(path)) => from(&path.display().to_string(), |text| read(path, text)),
            (None, None) => return Ok(None),
        };
        text.map(|text| Some(Token::new(text.trim()))).map_err(|problem| {
            tell(problem);
            ExitCode::from(exit::USAGE)
        })
    }

    /// The token, without which the command fails.
    pub fn require(&self) -> Result<Token, ExitCode> {
        self.read()?.ok_or_else(|| {
            tell(
                "the token is missing: give the token after the name, or `-` to read it from standard input, or --token-file.",
            );
            ExitCode::from(exit::USAGE)
        })
    }
}

fn read(path: &Path, text: &mut String) -> io::Result<()> {
    *text = fs::read_to_string(path)?;
    Ok(())
}

fn from(source: &str, read: impl FnOnce(&mut String) -> io::Result<()>) -> Result<String, String> {
    let mut text = String::new();
    match read(&mut text) {
        Err(error) => Err(format!("can't read a token from {source}: {error}.")),
        Ok(()) if text.trim().is_empty() => Err(format!("there is no token in {source}.")),
        Ok(()) => Ok(text),
    }
}

//! `gorilla key check`: tells what a key is.

use std::{
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
    time::SystemTime,
};

use clap::Args;

use crate::{
    access::{Denied, Key},
    commands::{access_file, messages::fail},
    rfc3339::Rfc3339,
};

/// So much of the input is read: more than any key.
const READ: u64 = 4096;

/// Check an API key from standard input, and tell its id, its hash and whose it is.
///
/// A key is never an argument, because everybody on this machine can read arguments in the list of processes.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 the key is right, 1 it is not, 78 the access file is wrong\n\n\
    Examples:\n  gorilla key check < key.txt\n  gorilla key check --file access.toml < key.txt")]
pub struct Check {
    /// Also tell which identity of this access file has the key; fail if none has it, or if it has expired
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Check {
    pub fn run(&self) -> Result<(), ExitCode> {
        let access = self.file.as_deref().map(access_file::load).transpose()?;
        let mut text = String::new();
        let read = io::stdin().take(READ).read_to_string(&mut text);
        read.map_err(|error| fail(format!("standard input can't be read: {error}.")))?;
        let key = Key::parse(text.trim()).map_err(|wrong| fail(format!("{wrong}.")))?;
        println!("id        {}", key.id());
        println!("hash      {}", key.digest());
        let Some(access) = access else { return Ok(()) };
        let Some(identity) = access.by_digest(key.digest()) else {
            return Err(fail(format!("{}.", Denied::Unknown)));
        };
        println!("identity  {}", identity.name);
        println!("role      {}", identity.role.name);
        let expires = identity.expires.map(Rfc3339::to_seconds);
        println!("expires   {}", expires.as_ref().map_or("never", Rfc3339::as_str));
        if identity.has_expired(SystemTime::now()) {
            return Err(fail(format!("{}.", Denied::Expired)));
        }
        Ok(())
    }
}

//! `gorilla key new`: makes a key.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::SystemTime,
};

use clap::Args;

use crate::{
    access::{Key, Name, expiry},
    commands::messages::fail,
    rfc3339::Rfc3339,
};

/// Make an API key, and print it with the lines for the access file.
///
/// The first line is the key, which is stored nowhere. The access file gets the other lines, which have the hash of the
/// key.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  gorilla key new ci --role deploy --expires 2027-06-01\n  gorilla key new ci --role deploy | head -1"
)]
pub struct New {
    /// The name of the identity that will have the key
    #[arg(value_name = "NAME")]
    name: Name,
    /// Its role, a [[role]] of the access file
    #[arg(long, value_name = "ROLE")]
    role: Name,
    /// The time from which the key is no longer valid, such as 2027-06-01 (its first moment in UTC) or
    /// 2027-06-01T12:00:00+02:00; never by default
    #[arg(long, value_name = "DATE", value_parser = time)]
    expires: Option<SystemTime>,
}

impl New {
    pub fn run(&self) -> Result<(), ExitCode> {
        let key = Key::generate().map_err(|error| fail(format!("the system gives no random numbers: {error}.")))?;
        let (name, role, hash, id) = (&self.name, &self.role, key.digest(), key.id());
        let mut text = format!(
            "{}\n\n# For the access file. It does not have the key itself, which is shown only this once.\n[[key]]\n\
             name = \"{name}\"\nrole = \"{role}\"\nhashes = [\"{hash}\"] # id {id}\n",
            key.as_str()
        );
        if let Some(expires) = self.expires {
            text += &format!("expires = {}\n", Rfc3339::to_seconds(expires).as_str());
        }
        // In one piece, so that `head` gets the key and this command has nothing left to write when `head` has ended.
        match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(fail(format!("the key can't be written: {error}.")))
            }
            _ => Ok(()),
        }
    }
}

fn time(text: &str) -> Result<SystemTime, String> {
    expiry::parse(text).ok_or_else(|| format!("it must be {}", expiry::RULE))
}

//! The token for the command, in a file in memory that the command inherits.
//!
//! The token is not in an environment variable, because /proc shows environment variables, many tools print them, and
//! all processes inherit them. Also, the environment of a process can't change, but a renewal may replace the
//! token: at a server of version 0.1.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use gorilla_client::Token;
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};

/// The environment variable that tells the command the file descriptor.
pub const VARIABLE: &str = "GORILLA_LOCK_TOKEN_FD";

/// The file with the current token; of several locks, with a line for each.
pub struct TokenFile(File);

impl TokenFile {
    pub fn new(tokens: &[Token]) -> io::Result<Self> {
        let file = File::from(memfd_create("gorilla-token", MemfdFlags::CLOEXEC)?);
        file.write_all_at(lines(tokens).as_bytes(), 0)?;
        Ok(Self(file))
    }

    /// The file descriptor in this process.
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Replaces the tokens. A token has the length of the token that it replaces, so that there are always whole tokens
    /// in the file.
    pub fn write(&self, tokens: &[Token]) {
        // Fails only if no memory is left. Then the old token stays, with which nobody can do anything any more.
        let _ = self.0.write_all_at(lines(tokens).as_bytes(), 0);
    }
}

fn lines(tokens: &[Token]) -> String {
    tokens.iter().map(Token::expose).collect::<Vec<_>>().join("\n")
}

/// Opens the file for reading in the process that becomes the command, with the lowest free file descriptor, because
/// shells have a syntax only for file descriptors of one digit.
pub fn open_in_command(parent: i32, number: i32) -> io::Result<OwnedFd> {
    Ok(open(format!("/proc/{parent}/fd/{number}"), OFlags::RDONLY, Mode::empty())?)
}

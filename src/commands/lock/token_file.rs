//! The token for the command: a file in memory that it inherits.
//!
//! Not an environment variable. Those are shown in /proc, printed by many tools and inherited by everything, and they stay
//! as they were, while each renewal replaces the token.

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

/// Tells the command its file descriptor.
pub const VARIABLE: &str = "GORILLA_LOCK_TOKEN_FD";

/// The present token, for who reads it.
pub struct TokenFile(File);

impl TokenFile {
    pub fn new(token: &Token) -> io::Result<Self> {
        let file = File::from(memfd_create("gorilla-token", MemfdFlags::CLOEXEC)?);
        file.write_all_at(token.expose().as_bytes(), 0)?;
        Ok(Self(file))
    }

    /// The file descriptor in this process.
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Tokens are of one length, so that there is always one in the file.
    pub fn write(&self, token: &Token) {
        // A write to memory fails only where there is none left; then the old token stays, which does nothing any more.
        let _ = self.0.write_all_at(token.expose().as_bytes(), 0);
    }
}

/// Opens it for reading in the process that becomes the command, at the first free file descriptor: shells have a syntax
/// for those of one digit only.
pub fn open_in_command(parent: i32, number: i32) -> io::Result<OwnedFd> {
    Ok(open(format!("/proc/{parent}/fd/{number}"), OFlags::RDONLY, Mode::empty())?)
}

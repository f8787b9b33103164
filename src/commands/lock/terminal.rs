//! The terminal, which belongs to one process group at a time.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{FileType, fstat},
    process::{Pid, getpgrp},
    termios::{tcgetpgrp, tcsetpgrp},
};

/// The terminal of this process while it is in the foreground.
pub struct Terminal(File);

impl Terminal {
    /// The terminal to give to the command. None in the background, and none in a pipeline, because its other processes
    /// need the terminal.
    pub fn to_share() -> Option<Self> {
        let is_pipe =
            |fd: BorrowedFd| fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
        if is_pipe(io::stdin().as_fd()) || is_pipe(io::stdout().as_fd()) {
            return None;
        }
        let terminal = Self(File::options().read(true).write(true).open("/dev/tty").ok()?);
        terminal.is_ours().then_some(terminal)
    }

    /// Whether this process is in the foreground.
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(&self.0) == Ok(getpgrp())
    }

    /// Puts a group into the foreground. Only a process in the foreground may do so.
    pub fn give_to(&self, group: Pid) {
        // The kernel would stop this process if it tried from the background.
        if self.is_ours() {
            let _ = tcsetpgrp(&self.0, group);
        }
    }
}

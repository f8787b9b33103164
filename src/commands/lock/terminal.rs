//! The terminal, which belongs to one process group at a time.

use std::{fs::File, io, os::fd::AsFd};

use rustix::{
    fs::{FileType, fstat},
    process::{Pid, getpgrp},
    termios::{tcgetpgrp, tcsetpgrp},
};

/// The terminal of this process while it is in the foreground.
pub struct Terminal(File);

impl Terminal {
    /// The terminal to give to the command: none in the background, and none in a pipeline, whose other processes need it.
    pub fn to_share() -> Option<Self> {
        let pipe =
            |fd: &dyn AsFdDyn| fd.stat().is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
        if pipe(&io::stdin()) || pipe(&io::stdout()) {
            return None;
        }
        let terminal = Self(File::options().read(true).write(true).open("/dev/tty").ok()?);
        terminal.is_ours().then_some(terminal)
    }

    /// Whether this process is in the foreground.
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(&self.0) == Ok(getpgrp())
    }

    /// Puts a group into the foreground. Allowed to who is there.
    pub fn give_to(&self, group: Pid) {
        // Who is not in the foreground any more would be stopped for trying.
        if self.is_ours() {
            let _ = tcsetpgrp(&self.0, group);
        }
    }
}

trait AsFdDyn {
    fn stat(&self) -> Option<rustix::fs::Stat>;
}

impl<T: AsFd> AsFdDyn for T {
    fn stat(&self) -> Option<rustix::fs::Stat> {
        fstat(self.as_fd()).ok()
    }
}

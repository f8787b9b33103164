//! The file that records go to.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use super::chain::Tail;

/// So much of the end of a file is read: more than any record.
const TAIL: u64 = 256 * 1024;
/// Only the user of the replica reads a file that it makes.
const MODE: u32 = 0o600;

/// An open file. Other programs may rotate it.
#[derive(Debug)]
pub struct AuditFile {
    file: File,
    /// Device and number, by which a file is known.
    identity: (u64, u64),
    is_regular: bool,
    /// In bytes, as far as this process knows.
    length: u64,
}

/// What a look at the path of an open file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is the open file.
    None,
    /// Another file is there, or none.
    Rotated,
    /// It is the open file, and somebody cut it.
    Truncated,
}

impl AuditFile {
    /// Opens a file at its end, or makes it. Never waits: neither for the reader of a FIFO nor for another process that
    /// has locked the file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        // Not blocking: otherwise to open a FIFO would wait for its reader.
        options.append(true).create(true).mode(MODE).custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = options.open(path).map_err(|error| {
            let is_fifo = || fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
            match Errno::from_io_error(&error) {
                Some(Errno::NXIO) if is_fifo() => io::Error::other("it is a FIFO that nobody reads"),
                _ => error,
            }
        })?;
        let metadata = file.metadata()?;
        let is_regular = metadata.is_file();
        if is_regular {
            flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
                Errno::WOULDBLOCK => io::Error::other("another process writes to it"),
                error => error.into(),
            })?;
        }
        Ok(Self { file, identity: identity(&metadata), is_regular, length: metadata.len() })
    }

    /// What the end of the file has.
    pub fn tail(&self, path: &Path) -> io::Result<Tail> {
        let mut bytes = Vec::new();
        if self.is_regular {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(self.length.saturating_sub(TAIL)))?;
            file.take(TAIL).read_to_end(&mut bytes)?;
        }
        Ok(Tail::of(&bytes))
    }

    /// Writes a part of a text, and returns how much.
    pub fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let written = self.file.write(text)?;
        self.length += written as u64;
        Ok(written)
    }

    /// Waits until the disk has what was written. What is not a regular file has no disk.
    pub fn sync(&self) -> io::Result<()> {
        if self.is_regular { self.file.sync_data() } else { Ok(()) }
    }

    /// Whether the path still leads to this file.
    pub fn look(&mut self, path: &Path) -> Change {
        match fs::metadata(path) {
            Ok(found) if identity(&found) != self.identity => Change::Rotated,
            Ok(found) if self.is_regular && found.len() < self.length => {
                self.length = found.len();
                Change::Truncated
            }
            Ok(_) => Change::None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Change::Rotated,
            // Nobody can tell. What is open goes on to be written.
            Err(_) => Change::None,
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

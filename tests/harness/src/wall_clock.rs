//! A wall clock that a test can move, for the servers that start with it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    process::Command,
};

use tempfile::TempDir;

/// The clock. Servers that start with `env` use it as long as this value lives.
pub struct WallClock {
    folder: TempDir,
    offset: File,
}

impl WallClock {
    /// A clock that is right. Needs a C compiler, which building Gorilla needs too.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the clock");
        let source = folder.path().join("wall_clock.c");
        fs::write(&source, include_str!("wall_clock.c")).expect("the folder can be written to");
        let library = folder.path().join("wall_clock.so");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").status();
        assert!(compiled.expect("cc runs").success(), "the clock is compiled");
        let path = folder.path().join("offset");
        fs::write(&path, 0_i64.to_ne_bytes()).expect("the folder can be written to");
        let offset = File::options().read(true).write(true).open(path).expect("the file is there");
        Self { folder, offset }
    }

    /// The environment of a server that uses the clock.
    pub fn env(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        vec![("LD_PRELOAD".into(), path("wall_clock.so")), ("HARNESS_CLOCK".into(), path("offset"))]
    }

    /// Moves the clock so many seconds forward, or back.
    pub fn step(&self, seconds: i64) {
        let mut offset = [0; 8];
        self.offset.read_exact_at(&mut offset, 0).expect("the offset can be read");
        let moved = i64::from_ne_bytes(offset) + seconds * 1_000_000;
        self.offset.write_all_at(&moved.to_ne_bytes(), 0).expect("the offset can be written");
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

//! What the figures depend on besides Gorilla's source and Cargo.lock.

use std::{env::consts::ARCH, fs, io, path::Path, process::Command};

/// The compiler, with what it compiles for; the C library, which copies and compares; and Valgrind, whose version decides
/// what a processor can do in the eyes of the program, and so which way of copying the library takes.
pub fn of(program: &Path) -> io::Result<String> {
    let compiler = compiler(program)?;
    let library = said("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_else(|| "a C library that is not glibc".into());
    let valgrind = said("valgrind", &["--version"]).ok_or_else(|| {
        io::Error::other("valgrind, which counts instructions, is not in PATH; `make budget` installs it")
    })?;
    Ok(format!("rustc {compiler} for {ARCH}, {library}, {valgrind}"))
}

/// The compiler that made the program, as the program itself has it: the one in PATH may be another.
fn compiler(program: &Path) -> io::Result<String> {
    const MARK: &[u8] = b"rustc version ";
    let shown = program.display();
    let bytes = fs::read(program).map_err(|error| {
        io::Error::new(error.kind(), format!("{shown}: {error}; `cargo build --release --locked` makes it"))
    })?;
    let mark = memchr::memmem::find(&bytes, MARK);
    let mark = mark.ok_or_else(|| io::Error::other(format!("{shown} does not say which rustc made it")))?;
    let text = bytes[mark + MARK.len()..].split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// What a program prints, if there is such a program.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

//! The Chromium of the system, in which tests open web pages.

use std::{
    env,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::harness::Process;

/// A browser starts in a second; on a machine that does much else it takes its time.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Chromium without a window, with what it keeps in this folder.
pub fn chromium(profile: &Path) -> Command {
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = |program: &&str| env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    let program = ["chromium", "chromium-browser"].into_iter().find(found);
    let mut command = Command::new(program.expect("no Chromium is in PATH; tests/install-browser installs it"));
    command
        .args(["--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        // The sandbox of Chromium needs rights that containers don't have, and every page here belongs to the test.
        .arg("--no-sandbox")
        .arg(format!("--user-data-dir={}", profile.display()))
        .env("HOME", profile)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// What a browser prints until it ends.
pub fn shown_by(mut command: Command) -> String {
    let mut browser = Process::spawn(&mut command).expect("Chromium starts");
    let mut stdout = browser.child.stdout.take().expect("its standard output is piped");
    let reader = thread::spawn(move || {
        let mut shown = String::new();
        stdout.read_to_string(&mut shown).map(|_| shown)
    });
    let begun = Instant::now();
    while browser.child.try_wait().expect("a child can be waited for").is_none() {
        assert!(begun.elapsed() < PATIENCE, "Chromium does not end");
        thread::sleep(Duration::from_millis(20));
    }
    drop(browser);
    reader.join().expect("it reads").expect("text")
}

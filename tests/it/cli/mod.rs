//! The commands, as shells and scripts run them.

mod concurrent;
mod configured;
mod keys;
mod lock;
mod lost;
mod processes;
mod scripts;
mod sets;
mod shared;
mod shown;
mod terminal;
mod waiting;

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::harness::Process;

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// As a shell tells it.
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A command for the server at an address, with nothing of the tester's own settings.
pub fn gorilla(url: &str, args: &[&str]) -> Command {
    // A person who runs the tests in the background may ignore signals, and every process inherits that.
    gorilla_with_signals("--default-signal", url, args)
}

/// The same, with an option of `env` that says which signals are ignored. `env` becomes the command.
fn gorilla_with_signals(option: &str, url: &str, args: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args([option, env!("CARGO_BIN_EXE_gorilla")]).args(args);
    command.env("GORILLA_URL", url).env("HOME", "/nonexistent").env("NO_PROXY", "*");
    for name in ["XDG_CONFIG_HOME", "GORILLA_API_KEY", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end, which must come.
async fn run(url: &str, args: &[&str]) -> Said {
    finish(Process::spawn(&mut gorilla(url, args)).expect("gorilla starts")).await
}

/// Waits for the end of a command that was started, and of all processes that have its output open.
pub async fn finish(mut process: Process) -> Said {
    let out = read(process.child.stdout.take());
    let err = read(process.child.stderr.take());
    let begun = Instant::now();
    loop {
        if let Some(status) = process.child.try_wait().expect("a child can be waited for") {
            let code = status.code().or(status.signal().map(|signal| 128 + signal)).expect("it has ended");
            let (out, err) = (out.await.expect("its output"), err.await.expect("its errors"));
            return Said { code, out, err };
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "gorilla does not end");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn read(stream: Option<impl std::io::Read + Send + 'static>) -> tokio::task::JoinHandle<String> {
    tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        stream.expect("it is piped").read_to_end(&mut bytes).expect("it can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits until a file has something in it; what it has.
pub async fn written(path: &Path) -> String {
    let text = || fs::read_to_string(path).unwrap_or_default();
    crate::harness::eventually(&format!("something is in {}", path.display()), Duration::from_secs(20), || async {
        text().ends_with('\n')
    })
    .await;
    text()
}

/// Whether a process runs. One that is dead and not buried does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

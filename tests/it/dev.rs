//! `gorilla dev`: one command to see it, with a Redis that lives and dies with it.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Api, Process, Replica, token};

/// A `gorilla dev` that serves.
pub struct Dev {
    process: Process,
    pub api: Api,
    /// What it printed, up to the command that shows a lock in Redis.
    printed: Vec<String>,
    socket: PathBuf,
}

fn gorilla() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gorilla"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A `gorilla dev` with its locks in a folder, on a port of its own.
fn dev(state: &Path) -> Command {
    let mut command = gorilla();
    command.args(["dev", "--listen", "127.0.0.1:0", "--state"]).arg(state);
    command
}

impl Dev {
    pub fn start(state: &Path) -> Self {
        let mut process = Process::spawn(&mut dev(state)).expect("gorilla starts");
        let stdout = BufReader::new(process.child.stdout.take().expect("its standard output is piped"));
        let mut printed = Vec::new();
        for line in stdout.lines().map_while(Result::ok) {
            let last = line.contains("redis-cli");
            printed.push(line);
            if last {
                let line = printed.iter().find_map(|line| line.split_once("http://")).expect("it says where it serves");
                let address = line.1.split(',').next().expect("an address").to_string();
                let socket = state.canonicalize().expect("the folder").join("redis.sock");
                return Self { process, api: Api::at(&address), printed, socket };
            }
        }
        panic!("gorilla dev ended: {}", ended(process).1);
    }

    /// Runs a command that it printed as it stands there; what the command prints.
    fn paste(&self, program: &str) -> String {
        let line = self.printed.iter().find(|line| line.trim_start().starts_with(program)).expect("it is printed");
        let output = Command::new("sh").args(["-c", line]).output().expect("sh runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn end_by(self, signal: Signal) -> Option<i32> {
        self.process.signal(signal);
        ended(self.process).0
    }

    /// Ends it; what it logged.
    pub fn log(self) -> String {
        self.process.signal(Signal::INT);
        ended(self.process).1
    }
}

/// Waits for the end of a process: its exit code, if it was not killed, and what it said on standard error.
fn ended(mut process: Process) -> (Option<i32>, String) {
    let begun = Instant::now();
    let status = loop {
        match process.child.try_wait().expect("a child can be waited for") {
            Some(status) => break status,
            None => assert!(begun.elapsed() < Duration::from_secs(20), "it does not end"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    // Only what is left in the pipe: nobody else has it.
    process.child.stderr.take().expect("its standard error is piped").read_to_string(&mut said).expect("UTF-8");
    (status.code(), said)
}

/// Asserts that a command ends with one sentence that says all of `says`.
#[track_caller]
fn refuses(command: &mut Command, says: &[&str]) {
    let (code, said) = ended(Process::spawn(command).expect("gorilla starts"));
    assert_eq!(code, Some(1), "{said}");
    let line = said.lines().find(|line| line.starts_with("gorilla: ")).unwrap_or_else(|| panic!("no sentence: {said}"));
    for part in says {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
    assert!(line.ends_with('.'), "{line}");
}

#[track_caller]
fn redis_ends(socket: &Path) {
    let begun = Instant::now();
    while UnixStream::connect(socket).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the private Redis lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_commands_that_it_prints_work_when_they_are_pasted() {
    let state = folder();
    let dev = Dev::start(state.path());
    let lock: Value = serde_json::from_str(&dev.paste("curl ")).expect("curl prints a lock");
    assert_eq!((&lock["owner"], &lock["resource"], &lock["timeout"]), (&"me".into(), &"orders".into(), &30.into()));
    let hash = dev.paste("redis-cli ");
    assert!(hash.contains(token(&lock)) && hash.contains("owner\nme\n"), "{hash}");
    assert!(dev.printed[0].contains(&state.path().display().to_string()), "{:?}", dev.printed);
}

#[tokio::test]
async fn locks_survive_a_restart_also_after_it_was_killed() {
    let state = folder();
    let mut dev = Dev::start(state.path());
    let lock = dev.api.granted("kept", "me", 3600).await;
    for (signal, code) in [(Signal::TERM, Some(0)), (Signal::KILL, None), (Signal::INT, Some(0))] {
        let socket = dev.socket.clone();
        assert_eq!(dev.end_by(signal), code, "{signal:?}");
        // The next `gorilla dev` may begin while the Redis of the earlier one is about to end.
        dev = Dev::start(state.path());
        let status = dev.api.status("kept", token(&lock)).await;
        assert_eq!(status.status, 200, "after {signal:?}: {status:?}");
        for same in ["id", "fence", "expireAt"] {
            assert_eq!(status.json()[same], lock[same], "{same} after {signal:?}");
        }
        assert_eq!(dev.socket, socket);
    }
}

#[test]
fn its_redis_ends_with_it_however_it_ends() {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let state = folder();
        let dev = Dev::start(state.path());
        let socket = dev.socket.clone();
        UnixStream::connect(&socket).expect("the private Redis listens");
        dev.end_by(signal);
        redis_ends(&socket);
    }
}

#[test]
fn it_ends_with_a_sentence_when_its_redis_ends() {
    let state = folder();
    let dev = Dev::start(state.path());
    let told = Command::new("redis-cli").arg("-s").arg(&dev.socket).args(["SHUTDOWN", "NOSAVE"]).status();
    assert!(told.expect("redis-cli runs").success());
    let (code, said) = ended(dev.process);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("gorilla: the private Redis ended") && said.contains("redis.log"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let state = folder();
    refuses(
        gorilla().args(["dev", "--listen", &address, "--state"]).arg(state.path()),
        &[&address, "in use", "--listen HOST:PORT"],
    );
}

#[tokio::test]
async fn two_of_them_in_one_folder_are_refused_and_the_first_goes_on() {
    let state = folder();
    let first = Dev::start(state.path());
    let path = state.path().display().to_string();
    refuses(&mut dev(state.path()), &["another `gorilla dev` uses", &path, "--state DIR"]);
    assert_eq!(first.api.acquire("still-served", "me", 30).await.status, 200);
    // Another folder is fine.
    let other = folder();
    Dev::start(other.path());
}

#[test]
fn a_folder_that_can_not_be_written_to_is_said() {
    let state = folder();
    let file = state.path().join("file");
    fs::write(&file, "").expect("a file");
    // The rights of a folder would not do: root, who may run this, has every right.
    for path in [file.join("below"), file.clone(), PathBuf::from("/proc/gorilla")] {
        refuses(&mut dev(&path), &[&path.display().to_string(), "can't be written to", "--state DIR"]);
    }
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_said() {
    let state = folder();
    let path = state.path().join("x".repeat(100));
    refuses(&mut dev(&path), &["too long for the path of a socket", "--state DIR"]);
}

#[test]
fn a_redis_that_is_too_old_or_missing_is_said() {
    let programs = folder();
    let path = programs.path().display().to_string();
    let state = folder();
    refuses(dev(state.path()).env("PATH", &path), &["neither redis-server nor valkey-server is in PATH", "make run"]);
    let fake = |program: &str, version: &str| {
        let file = programs.path().join(program);
        fs::write(&file, format!("#!/bin/sh\necho 'Server v={version} sha=0 bits=64'\n")).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it may be executed");
    };
    fake("redis-server", "6.2.14");
    let old = "redis-server is version 6.2.14, but Gorilla needs 7.0 or newer";
    refuses(dev(state.path()).env("PATH", &path), &[old, "make run"]);
    fake("valkey-server", "7.2.5");
    let also_old = "valkey-server is version 7.2.5, but Gorilla needs 8.0 or newer";
    refuses(dev(state.path()).env("PATH", &path), &[old, also_old]);
}

#[test]
fn without_state_the_folder_is_in_the_home_of_the_user() {
    let home = folder();
    for (variable, below) in [("HOME", ".local/state/gorilla"), ("XDG_STATE_HOME", "gorilla")] {
        // A file in its place shows where it is looked for, without a server to wait for.
        let expected = home.path().join(below);
        fs::create_dir_all(expected.parent().expect("a parent")).expect("a folder");
        fs::write(&expected, "").expect("a file");
        let mut command = gorilla();
        command.args(["dev", "--listen", "127.0.0.1:0"]).env_remove("XDG_STATE_HOME").env(variable, home.path());
        refuses(&mut command, &[&expected.display().to_string(), "can't be written to"]);
    }
    let mut command = gorilla();
    command.args(["dev", "--listen", "127.0.0.1:0"]).env_remove("XDG_STATE_HOME").env_remove("HOME");
    refuses(&mut command, &["HOME is not set", "--state DIR"]);
}

#[tokio::test]
async fn healthcheck_asks_the_replica_of_this_machine() {
    let address = Replica::shared().await.address;
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    for listen in [&address, &everywhere] {
        let status = gorilla().args(["healthcheck", "--listen", listen]).status().expect("gorilla runs");
        assert!(status.success(), "{listen}");
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").to_string();
    refuses(gorilla().args(["healthcheck", "--listen", &free]), &[&free, "/_health", "can't be reached"]);
}

#[test]
fn healthcheck_does_not_wait_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("its address").to_string();
    refuses(gorilla().args(["healthcheck", "--listen", &address]), &[&address, "did not answer within 3 s"]);
}

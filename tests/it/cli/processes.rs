//! Signals to `gorilla lock`, and the processes that come from its command.

use std::{fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Said, finish, gorilla, gorilla_with_signals, run, runs, written};
use crate::harness::{Process, Replica, eventually, name};

/// A `gorilla lock` whose script has a file to write to.
struct Running {
    process: Process,
    folder: TempDir,
    mark: String,
}

impl Running {
    async fn start(options: &[&str], script: &str) -> Self {
        Self::start_with_signals("--default-signal", options, script).await
    }

    /// With an option of `env` that says which signals are ignored.
    async fn start_with_signals(signals: &str, options: &[&str], script: &str) -> Self {
        let (url, mark) = (format!("http://{}", Replica::shared().await.address), name("processes"));
        let folder = tempfile::tempdir().expect("a folder");
        let args = [&["lock", &mark], options, &["--", "sh", "-c", script]].concat();
        let mut command = gorilla_with_signals(signals, &url, &args);
        let process = Process::spawn(command.current_dir(folder.path()).env("MARK", &mark)).expect("gorilla starts");
        Self { process, folder, mark }
    }

    async fn written(&self) -> String {
        written(&self.folder.path().join("file")).await
    }

    /// Waits for its end. Then no process may be left, and the lock must be free.
    async fn finish(self) -> Said {
        let said = finish(self.process).await;
        assert_eq!(left(&self.mark), [""; 0], "{said:?}");
        assert_eq!(Replica::shared().await.state(&self.mark).await["held"], false, "{said:?}");
        said
    }
}

/// The command lines of all processes that have the mark in their environment.
fn left(mark: &str) -> Vec<String> {
    marked(mark).into_iter().map(|(_, line)| line).collect()
}

/// The same with the ids of the processes.
fn marked(mark: &str) -> Vec<(String, String)> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    let marked = processes.filter(|path| {
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == format!("MARK={mark}").as_bytes())
    });
    let told = marked.map(|path| {
        let line = fs::read_to_string(path.join("cmdline")).unwrap_or_default().replace('\0', " ");
        (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), line)
    });
    told.collect()
}

fn send(pid: &str, signal: Signal) {
    let pid = pid.parse().ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("the process is there");
}

#[tokio::test]
async fn signals_reach_the_command() {
    let script = r#"for name in INT HUP QUIT USR1 USR2 WINCH; do trap "echo $name >> signals" $name; done
        trap 'exit 9' TERM; echo ready > file; while :; do sleep 0.02; done"#;
    let running = Running::start(&[], script).await;
    running.written().await;
    let signals = [
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
    ];
    for (signal, caught) in signals {
        running.process.signal(signal);
        eventually(caught, Duration::from_secs(10), || async {
            let text = fs::read_to_string(running.folder.path().join("signals")).unwrap_or_default();
            text.lines().any(|line| line == caught)
        })
        .await;
    }
    running.process.signal(Signal::TERM);
    assert_eq!(running.finish().await.code, 9);
}

#[tokio::test]
async fn a_command_that_a_signal_ends_ends_gorilla_with_its_code() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let running = Running::start(&[], "echo ready > file; exec sleep 1000").await;
        running.written().await;
        running.process.signal(signal);
        assert_eq!(running.finish().await.code, code);
    }
}

#[tokio::test]
async fn signals_that_were_ignored_at_the_start_stay_ignored_in_gorilla_the_minder_and_the_command() {
    // As `nohup` does, and a shell without job control for what it starts with `&`.
    let script = "trap 'echo came >> signals' USR1; echo $$ > file; while :; do sleep 0.02; done";
    let running = Running::start_with_signals("--ignore-signal=HUP,INT,QUIT", &[], script).await;
    let command = running.written().await.trim().to_string();
    let processes = marked(&running.mark);
    let minder = processes.iter().find(|(_, line)| line == "gorilla minder ").map(|(pid, _)| pid.clone());
    let all = [running.process.child.id().to_string(), minder.expect("a minder"), command];
    for pid in &all {
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
            send(pid, signal);
        }
    }
    // It comes after those, and by gorilla.
    running.process.signal(Signal::USR1);
    eventually("the command gets USR1", Duration::from_secs(10), || async {
        fs::read_to_string(running.folder.path().join("signals")).is_ok_and(|text| text == "came\n")
    })
    .await;
    assert!(all.iter().all(|pid| runs(pid)), "{all:?}");
    running.process.signal(Signal::TERM);
    assert_eq!(running.finish().await.code, 143);
}

#[tokio::test]
async fn the_command_ignores_the_signals_that_gorilla_was_started_with_and_blocks_none() {
    let url = format!("http://{}", Replica::shared().await.address);
    for (option, expected) in [("--default-signal", 0), ("--ignore-signal=HUP,INT,QUIT", 0b111)] {
        let resource = name("ignored");
        let args = ["lock", resource.as_str(), "--", "grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"];
        let process = Process::spawn(&mut gorilla_with_signals(option, &url, &args)).expect("gorilla starts");
        let said = finish(process).await;
        let masks = said.out.lines().filter_map(|line| u64::from_str_radix(line.split_once('\t')?.1, 16).ok());
        // Above 31 are signals without a name, which the C library keeps to itself.
        let masks: Vec<_> = masks.map(|mask| mask & 0x7fff_ffff).collect();
        assert_eq!((said.code, masks), (0, vec![0, expected]), "{option}: {}", said.out);
    }
}

#[tokio::test]
async fn when_gorilla_is_killed_its_command_and_what_comes_from_it_end_too() {
    let running =
        Running::start(&["--ttl", "3s"], "sleep 1000 & echo $$ $! > file; trap '' TERM HUP; wait; sleep 1000").await;
    let pids = running.written().await;
    running.process.signal(Signal::KILL);
    eventually("the command has ended", Duration::from_secs(2), || async { !pids.split_whitespace().any(runs) }).await;
    eventually("nothing is left", Duration::from_secs(2), || async { left(&running.mark).len() <= 1 }).await;
}

#[tokio::test]
async fn what_the_command_leaves_behind_ends_before_the_lock_is_released() {
    // In the background, in a session of its own, and deaf to TERM.
    let scripts = [
        "sleep 1000 & echo $! > file; exit 4",
        "setsid sleep 1000 & sleep 0.2; echo $! > file; exit 4",
        "(setsid sh -c 'sleep 1000 & sleep 1000' &) ; sleep 0.2; echo 1 > file; exit 4",
        "(trap '' TERM; sleep 1000) & echo $! > file; exit 4",
    ];
    for script in scripts {
        let running = Running::start(&["--grace", "300ms"], script).await;
        running.written().await;
        let said = running.finish().await;
        assert_eq!((said.code, said.err.as_str()), (4, ""), "{script}: {said:?}");
    }
}

#[tokio::test]
async fn the_lock_is_held_until_the_last_of_them_has_ended() {
    let (api, resource) = (Replica::shared().await, name("last"));
    let url = format!("http://{}", api.address);
    let script = "(trap 'sleep 1; exit' TERM; while :; do sleep 0.02; done) & sleep 0.1; exit 0";
    let process = Process::spawn(&mut gorilla(&url, &["lock", &resource, "--", "sh", "-c", script])).expect("gorilla");
    tokio::time::sleep(Duration::from_millis(800)).await;
    let said = run(&url, &["lock", &resource, "-n", "--", "true"]).await;
    assert_eq!(said.code, 75, "{said:?}");
    assert_eq!(finish(process).await.code, 0);
}

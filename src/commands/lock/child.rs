//! The command that runs under the lock, and all processes that it started.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::{fd::AsRawFd, unix::process::CommandExt},
    process::{self, Command, ExitCode},
};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, getppid, kill_process, kill_process_group, set_child_subreaper,
        set_parent_process_death_signal, wait,
    },
};

use super::{
    super::{client::API_KEY, messages::tell},
    minder::SELF,
    token_file::{self, TokenFile},
};

/// The exit codes that shells use.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What became of the command.
pub enum Change {
    /// The command ended with this code, as shells count.
    Ended(u8),
    /// A signal stopped the command.
    Stopped,
}

/// The command and its process group.
pub struct Child {
    pid: Pid,
    group: Pid,
    /// The minder, which is in the group but does not come from the command.
    minder: Pid,
}

impl Child {
    /// Starts the command in a process group that exists.
    pub fn start(
        command: &[OsString],
        group: Pid,
        environment: &[(&str, Option<String>)],
        token_file: &TokenFile,
    ) -> io::Result<Self> {
        // Processes that lose their parents become children of this process, so that it can find them.
        set_child_subreaper(Some(rustix::process::getpid()))?;
        let mut launch = Command::new(SELF);
        launch.arg0("gorilla").arg("launch").arg(process::id().to_string()).arg(token_file.number().to_string());
        launch.args(command);
        launch.process_group(group.as_raw_pid()).env_remove(API_KEY);
        for (name, value) in environment {
            match value {
                Some(value) => launch.env(name, value),
                None => launch.env_remove(name),
            };
        }
        // `change` waits for all children, also for this one.
        let child = launch.spawn()?;
        Ok(Self { pid: Pid::from_child(&child), group, minder: group })
    }

    /// What has happened to the command since the last call. Buries all other processes that have died.
    pub fn change(&self) -> Option<Change> {
        loop {
            let (pid, status) = wait(WaitOptions::NOHANG | WaitOptions::UNTRACED).ok().flatten()?;
            if pid != self.pid {
                continue;
            }
            if status.stopped() {
                return Some(Change::Stopped);
            }
            if let Some(code) = status.exit_status().or_else(|| Some(128 + status.terminating_signal()?)) {
                return Some(Change::Ended(code as u8));
            }
        }
    }

    /// Sends a signal to the command, as `kill` does.
    pub fn signal(&self, signal: Signal) {
        // Fails if the command has just ended.
        let _ = kill_process(self.pid, signal);
    }

    /// Sends a signal to the whole group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    /// Asks all processes that come from the command to end.
    pub fn terminate(&self) {
        self.signal_group(Signal::TERM);
        for pid in self.orphans() {
            let _ = kill_process(pid, Signal::TERM);
        }
        // A process that is stopped would not notice TERM.
        self.signal_group(Signal::CONT);
    }

    /// Kills all processes that come from the command, but not the minder.
    pub fn kill(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
        for pid in self.orphans().into_iter().chain(self.members()) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Whether a process that came from the command is still there.
    pub fn has_left_something(&self) -> bool {
        while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
        !self.orphans().is_empty() || !self.members().is_empty()
    }

    /// The children of this process: the command, and processes that lost their parents.
    fn orphans(&self) -> Vec<Pid> {
        let own = process::id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let pids = children.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        pids.filter(|&pid| pid != self.minder).collect()
    }

    /// Processes of the group whose parents live.
    fn members(&self) -> Vec<Pid> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        pids.filter(|&pid| pid != self.minder && is_alive_in(pid, self.group)).collect()
    }
}

/// Whether a process is a member of the group and lives. A dead process that is not buried yet is still listed.
fn is_alive_in(pid: Pid, group: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    // The name of the program comes first, and may have any characters. Behind it are state, parent and group.
    let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    !matches!(fields.next(), None | Some("" | "Z" | "X")) && fields.nth(1) == Some(&group.to_string())
}

/// Becomes the command, which will die with `gorilla lock`. `parent` is the process id of `gorilla lock`, and
/// `token_file` a file descriptor there.
pub fn launch(parent: i32, token_file: i32, command: &[OsString]) -> ExitCode {
    let name = command.first().map_or(OsStr::new(""), |name| name);
    let error = become_command(parent, token_file, name, command.get(1..).unwrap_or_default());
    let missing = error.raw_os_error() == Some(Errno::NOENT.raw_os_error());
    let why = if missing { "there is no such command".into() } else { error.to_string() };
    tell(format_args!("can't run {}: {why}.", name.display()));
    ExitCode::from(if missing { NOT_FOUND } else { NOT_EXECUTABLE })
}

/// Becomes the command. Returns only if that fails.
fn become_command(parent: i32, token_file: i32, name: &OsStr, arguments: &[OsString]) -> io::Error {
    if let Err(errno) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return errno.into();
    }
    // `gorilla lock` may have died before that call.
    if getppid().map(Pid::as_raw_pid) != Some(parent) {
        return io::Error::other("gorilla lock has ended");
    }
    match token_file::open_in_command(parent, token_file) {
        Ok(token_file) => {
            Command::new(name).args(arguments).env(token_file::VARIABLE, token_file.as_raw_fd().to_string()).exec()
        }
        Err(error) => error,
    }
}

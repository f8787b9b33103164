//! A process of its own in the command's process group that kills the group when the lock may be gone and `gorilla lock`
//! does not see to it: because it was killed, or stopped longer than the lease. It also gives the terminal back, which only
//! a member of the group in the foreground may do.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    process::{self, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    time::Duration,
};

use gorilla_client::{Moment, sleep_until};
use rustix::{
    process::{Pid, Signal, kill_current_process_group},
    termios::tcsetpgrp,
};
use tokio::{io::AsyncBufReadExt, net::unix::pipe};

use super::{
    super::{client::API_KEY, messages::fail, runtime::runtime},
    signals::Signals,
};

/// This program, also when its file was replaced meanwhile.
pub const SELF: &str = "/proc/self/exe";

/// The end of the conversation that `gorilla lock` has.
pub struct Minder {
    process: process::Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Minder {
    /// Starts one, in a process group of its own that the command is to join.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new(SELF);
        command.arg0("gorilla").arg("minder").process_group(0).env_remove(API_KEY);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let (orders, answers) = (process.stdin.take(), process.stdout.take());
        let (Some(orders), Some(answers)) = (orders, answers) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut minder = Self { process, orders, answers: BufReader::new(answers) };
        // From now on no signal to the group can end it.
        minder.await_answer()?;
        Ok(minder)
    }

    /// The process group.
    pub fn group(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// The group is to be dead then, unless told otherwise meanwhile.
    pub fn kill_at(&mut self, then: Option<Moment>) {
        let nanoseconds = then.map_or(u64::MAX, |then| then.since_start().as_nanos() as u64);
        self.order(&format!("kill-at {nanoseconds}"));
    }

    /// Gives the terminal to a process group.
    pub fn give_terminal_to(&mut self, group: Pid) {
        self.order(&format!("terminal {}", group.as_raw_pid()));
        // Where the minder is dead, the shell takes the terminal back by itself.
        let _ = self.await_answer();
    }

    /// Ends it and nothing else.
    pub fn dismiss(mut self) {
        self.order("end");
        let _ = self.process.wait();
    }

    fn order(&mut self, order: &str) {
        // A minder that is dead minds nothing any more, and the group learns that from nobody else.
        let _ = writeln!(self.orders, "{order}");
    }

    fn await_answer(&mut self) -> io::Result<()> {
        match self.answers.read_line(&mut String::new())? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The minder itself.
pub fn run() -> Result<(), ExitCode> {
    runtime(1)?.block_on(mind()).map_err(|error| fail(format!("the minder failed: {error}.")))
}

async fn mind() -> io::Result<()> {
    // They are for the command, and reach the minder as a member of its group.
    let _survived = Signals::catch()?;
    let orders = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut orders = tokio::io::BufReader::new(orders).lines();
    answer()?;
    let mut kill_at = Moment::from_start(Duration::MAX);
    loop {
        let order = tokio::select! {
            order = orders.next_line() => order,
            () = sleep_until(kill_at) => Ok(None),
        };
        // The end of the conversation without a farewell means that `gorilla lock` is dead.
        let Ok(Some(order)) = order else { break };
        match order.split_once(' ').unwrap_or((&order, "")) {
            ("kill-at", nanoseconds) => {
                kill_at = Moment::from_start(nanoseconds.parse().map_or(Duration::MAX, Duration::from_nanos));
            }
            ("terminal", group) => {
                if let (Ok(tty), Some(group)) = (File::open("/dev/tty"), group.parse().ok().and_then(Pid::from_raw)) {
                    let _ = tcsetpgrp(tty, group);
                }
                answer()?;
            }
            _ => return Ok(()),
        }
    }
    // The group cannot be another's by now: this process is a member of it.
    kill_current_process_group(Signal::KILL)?;
    Ok(())
}

fn answer() -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(b"ok\n")?;
    stdout.flush()
}

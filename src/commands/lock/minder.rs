//! The minder: a process in the process group of the command. It kills the group when the lock may be gone and `gorilla
//! lock` doesn't do so, because `gorilla lock` was killed, or was stopped for longer than the lease. The minder also
//! gives the terminal back, which only a member of the group in the foreground may do.

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

/// This program, also if its file was replaced meanwhile.
pub const SELF: &str = "/proc/self/exe";

/// The minder as `gorilla lock` sees it.
pub struct Minder {
    process: process::Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Minder {
    /// Starts a minder in a process group of its own, which the command is to join.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new(SELF);
        command.arg0("gorilla").arg("minder").process_group(0).env_remove(API_KEY);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let (orders, answers) = (process.stdin.take(), process.stdout.take());
        let (Some(orders), Some(answers)) = (orders, answers) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut minder = Self { process, orders, answers: BufReader::new(answers) };
        // Once the minder has answered, no signal that `gorilla lock` passes on can end it.
        minder.await_answer()?;
        Ok(minder)
    }

    /// The process group.
    pub fn group(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Orders the minder to kill the group at that moment, unless it gets another order before.
    pub fn kill_at(&mut self, then: Option<Moment>) {
        let nanoseconds = then.map_or(u64::MAX, |then| then.since_start().as_nanos() as u64);
        self.order(&format!("kill-at {nanoseconds}"));
    }

    /// Gives the terminal to a process group.
    pub fn give_terminal_to(&mut self, group: Pid) {
        self.order(&format!("terminal {}", group.as_raw_pid()));
        // If the minder is dead, the shell takes the terminal back by itself.
        let _ = self.await_answer();
    }

    /// Ends the minder, and no other process.
    pub fn dismiss(mut self) {
        self.order("end");
        let _ = self.process.wait();
    }

    fn order(&mut self, order: &str) {
        // Fails if the minder is dead. Then nothing else can do its work.
        let _ = writeln!(self.orders, "{order}");
    }

    fn await_answer(&mut self) -> io::Result<()> {
        match self.answers.read_line(&mut String::new())? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Runs the minder, in its own process.
pub fn run() -> Result<(), ExitCode> {
    runtime(1)?.block_on(mind()).map_err(|error| fail(format!("the minder failed: {error}.")))
}

async fn mind() -> io::Result<()> {
    // These signals are for the command. They reach the minder because it is in the same group.
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
        // If the orders end without `end`, `gorilla lock` is dead.
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
    // No other processes can have this group id by now, because this process is still in the group.
    kill_current_process_group(Signal::KILL)?;
    Ok(())
}

fn answer() -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(b"ok\n")?;
    stdout.flush()
}

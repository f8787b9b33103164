//! A command under a lock, from its start until the last process has ended that comes from it.

use std::{ffi::OsString, time::Duration};

use clap::ValueEnum;
use gorilla_client::{GuardSet, Lost, Moment, sleep_until};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    child::{Change, Child},
    environment,
    leases::Leases,
    minder::Minder,
    reporter::Reporter,
    signals::{ENDS, Signals},
    terminal::Terminal,
    token_file::TokenFile,
};

/// How often Gorilla looks whether the processes that the command left have ended.
const LOOK: Duration = Duration::from_millis(10);

/// What becomes of the command when the lock is lost.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnLost {
    Kill,
    Warn,
    Ignore,
}

/// What runs under the lock, and how it ends.
pub struct Plan<'a> {
    pub command: &'a [OsString],
    pub on_lost: OnLost,
    /// The time from TERM to KILL.
    pub grace: Duration,
}

impl Plan<'_> {
    fn dies_with_the_lease(&self) -> bool {
        self.on_lost == OnLost::Kill
    }
}

/// How a session ended.
pub struct Ended {
    /// The exit code of the command.
    pub code: u8,
    /// Whether the command was ended because the lock was lost.
    pub with_the_lock: bool,
    /// The last signal that was passed on to the command and that was meant to end it.
    pub signal: Option<Signal>,
}

/// The command under the lock.
pub struct Session<'a> {
    plan: Plan<'a>,
    reporter: &'a Reporter,
    leases: Leases,
    signals: &'a mut Signals,
    deaths: tokio::signal::unix::Signal,
    minder: Minder,
    child: Child,
    terminal: Option<Terminal>,
    token_file: TokenFile,
}

impl<'a> Session<'a> {
    /// Starts the command under locks that are held.
    pub fn start(
        plan: Plan<'a>,
        set: &GuardSet,
        mut leases: Leases,
        reporter: &'a Reporter,
        signals: &'a mut Signals,
    ) -> std::io::Result<Self> {
        let deaths = signal(SignalKind::child())?;
        let lease = leases.first_to_end();
        let token_file = TokenFile::new(&leases.tokens())?;
        let mut minder = Minder::start()?;
        minder.kill_at(lease.as_ref().filter(|_| plan.dies_with_the_lease()).map(|lease| lease.ends));
        let group = minder.group();
        let terminal = Terminal::to_share();
        if let Some(terminal) = &terminal {
            terminal.give_to(group);
        }
        let environment = environment::variables(set, lease.map(|lease| lease.expire_at).unwrap_or_default());
        let child = Child::start(plan.command, group, &environment, &token_file);
        match child {
            Ok(child) => Ok(Self { plan, reporter, leases, signals, deaths, minder, child, terminal, token_file }),
            Err(error) => {
                if terminal.is_some() {
                    minder.give_terminal_to(getpgrp());
                }
                minder.dismiss();
                Err(error)
            }
        }
    }

    /// Runs until the command and all processes that come from it have ended.
    pub async fn run(mut self, set: &GuardSet) -> Ended {
        let (mut lost, mut code, mut terminated, mut ending) = (None, None, false, None);
        let mut kill_at = Moment::from_start(Duration::MAX);
        let losing = set.lost();
        tokio::pin!(losing);
        loop {
            if code.is_some() && !self.child.has_left_something() {
                break;
            }
            tokio::select! {
                _ = self.deaths.recv() => match self.child.change() {
                    Some(Change::Ended(ended)) => {
                        code = Some(ended);
                        // The processes that the command left behind have no lock to run under.
                        if !terminated && self.child.has_left_something() {
                            self.child.terminate();
                            terminated = true;
                            kill_at = kill_at.min(Moment::now() + self.plan.grace);
                        }
                    }
                    Some(Change::Stopped) if self.terminal.is_some() => self.suspend(),
                    Some(Change::Stopped) | None => {}
                },
                signal = self.signals.next() => match signal {
                    Signal::TSTP => {
                        self.child.signal_group(Signal::TSTP);
                        self.suspend();
                    }
                    // A process without a handler dies of these signals, and a terminal never sends them to a group.
                    Signal::USR1 | Signal::USR2 => self.child.signal(signal),
                    _ => {
                        self.child.signal_group(signal);
                        ending = if ENDS.contains(&signal) { Some(signal) } else { ending };
                    }
                },
                changed = self.leases.changed(), if lost.is_none() => if let (true, Some(lease)) = (changed, self.leases.first_to_end()) {
                    self.token_file.write(&self.leases.tokens());
                    match lease.is_breaking {
                        true => self.warn_of_the_end(lease.ends),
                        false => self.reporter.mention("renewed", json!({ "expireAt": lease.expire_at })),
                    }
                    if self.plan.dies_with_the_lease() {
                        self.minder.kill_at(Some(lease.ends));
                    }
                },
                reason = &mut losing, if lost.is_none() => {
                    let ends = self.leases.end().unwrap_or_else(Moment::now);
                    if self.lose(&reason) {
                        kill_at = if matches!(reason, Lost::Ended(_)) { Moment::now() + self.plan.grace } else { ends };
                        self.minder.kill_at(Some(kill_at));
                        self.child.terminate();
                        terminated = true;
                    }
                    lost = Some(reason);
                },
                () = sleep_until(kill_at) => {
                    self.child.kill();
                    // Kills again until the last process is buried.
                    kill_at = Moment::now() + LOOK;
                },
                () = tokio::time::sleep(LOOK), if code.is_some() => {}
            }
        }
        if self.terminal.is_some() {
            self.minder.give_terminal_to(getpgrp());
        }
        self.minder.dismiss();
        // The minder may have killed the command before this process knew that the lease was over.
        let over = lost.is_some() || self.leases.end().is_some_and(|end| end.left().is_zero());
        let code = code.unwrap_or_default();
        let with_the_lock = over && self.plan.dies_with_the_lease() && terminated | (code == 128 + 9);
        Ended { code, with_the_lock, signal: ending }
    }

    /// Reports that somebody breaks the lock, which lasts until then.
    fn warn_of_the_end(&self, ends: Moment) {
        let (names, left) = (self.reporter.names(), ends.left());
        let sentence =
            format!("somebody breaks {names}, which can't be renewed and ends in {:.1} s.", left.as_secs_f64());
        match self.plan.on_lost {
            OnLost::Kill | OnLost::Warn => {
                self.reporter.warn("breaking", json!({ "ttlMs": left.as_millis() as u64 }), &sentence);
            }
            OnLost::Ignore => self.reporter.mention("breaking", json!({ "ttlMs": left.as_millis() as u64 })),
        }
    }

    /// Reports that the lock is lost. Returns whether the command must end.
    fn lose(&self, reason: &Lost) -> bool {
        let names = self.reporter.names();
        let facts = json!({ "reason": reason.to_string() });
        match self.plan.on_lost {
            OnLost::Kill => self.reporter.warn("lost", facts, &format!("lost {names}, ending the command: {reason}.")),
            OnLost::Warn => self.reporter.warn(
                "lost",
                facts,
                &format!("lost {names}, the command goes on without the lock: {reason}."),
            ),
            OnLost::Ignore => self.reporter.mention("lost", facts),
        }
        self.plan.dies_with_the_lease()
    }

    /// Stops this process together with the command, as the shell expects of a job, until the shell continues both.
    fn suspend(&mut self) {
        if self.terminal.is_some() {
            self.minder.give_terminal_to(getpgrp());
        }
        let _ = kill_process(getpid(), Signal::STOP);
        if let Some(terminal) = &self.terminal {
            terminal.give_to(self.minder.group());
        }
        self.child.signal_group(Signal::CONT);
    }
}

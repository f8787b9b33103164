//! `gorilla lock NAME… -- command`: runs a command while it holds a lock, or several locks.
//!
//! Three processes: this process takes the lock, renews it and passes signals on; the command; and a minder
//! (`minder.rs`) that kills the command when this process can't.

mod child;
mod environment;
mod leases;
mod minder;
mod reporter;
mod signals;
mod terminal;
mod token_file;

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};
use gorilla_client::{Client, Code, Error, Guard, GuardSet, Lost, Moment, sleep_until};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    client::{Asking, Remote, duration, name},
    exit,
    messages::{fail, tell},
    runtime::runtime,
};
use child::{Change, Child};
use leases::Leases;
use minder::Minder;
use signals::Signals;
use terminal::Terminal;
use token_file::TokenFile;

pub use child::launch;
pub use minder::run as mind;
pub use reporter::Reporter;

/// How often Gorilla looks whether the processes that the command left have ended.
const LOOK: Duration = Duration::from_millis(10);

/// Run a command while holding a lock.
#[derive(Args)]
#[command(
    after_help = "The command gets GORILLA_LOCK_NAME, GORILLA_LOCK_FENCE, GORILLA_LOCK_FLOOR (the smallest fence that may write \
    beside it), GORILLA_LOCK_OWNER, GORILLA_LOCK_EXPIRES_AT (the end of the first lease) and GORILLA_LOCK_TOKEN_FD, a file \
    descriptor from which the command reads the current token. With several names it gets GORILLA_LOCK_NAMES, \
    GORILLA_LOCK_FENCES and GORILLA_LOCK_FLOORS, a line for each name, in place of the first three, and as many tokens.\n\n\
    Exit codes: that of the command; 128 + the signal that ended it; 75 if the lock was not acquired (-E changes it), 76 if \
    it was lost, 69 server unreachable, 64 wrong usage, 78 wrong settings, 126 and 127 as in shells.\n\n\
    Examples:\n  gorilla lock report -n -- ./nightly-report\n  gorilla lock deploy-web --wait 10m -- ./deploy.sh v42\n  \
    gorilla lock migrations --ttl 1m --meta release=v42 -- sh -c './migrate up'\n  \
    gorilla lock deploys --limit 3 -- ./deploy.sh v42\n  gorilla lock table --shared -- ./report\n  \
    gorilla lock account-3 account-7 -- ./transfer"
)]
pub struct Lock {
    /// What to lock: any name without `/` and control characters, up to 256 bytes. Of several names, all or none are
    /// locked
    #[arg(value_name = "NAME", value_parser = name, required = true)]
    names: Vec<String>,
    #[command(flatten)]
    asking: Asking,
    /// What to do if the lock is lost while the command runs: kill the command, warn and let the command go on, or let
    /// the command go on silently
    #[arg(long, value_name = "WHAT", default_value = "kill")]
    on_lost: OnLost,
    /// The time from TERM to KILL. The command gets TERM this long before the lease may end, and KILL at its end
    /// [default: a sixth of the lease, at most 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    grace: Option<Duration>,
    /// Exit with this code if the lock is not acquired
    #[arg(short = 'E', long, value_name = "CODE", default_value_t = exit::NOT_ACQUIRED)]
    conflict_exit_code: u8,
    /// Print what happens as JSON on standard error, one event a line
    #[arg(long)]
    json: bool,
    /// Print only errors on standard error; only the exit code then tells that the lock was not acquired
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    remote: Remote,
    /// The command and its arguments, run without a shell
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnLost {
    Kill,
    Warn,
    Ignore,
}

impl Lock {
    pub fn run(self) -> Result<(), ExitCode> {
        if let (Some(option), false) = (self.asking.for_one_lock(), self.names.len() == 1) {
            tell(format!("{option} is for one lock: several locks have no place of their own in a queue."));
            return Err(ExitCode::from(exit::USAGE));
        }
        let (client, warning) = self.remote.client_and_warning()?;
        let reporter = Reporter::new(&client, &self.names, self.json, self.quiet);
        if let Some(warning) = warning {
            reporter.warn("warning", json!({ "reason": warning }), &warning);
        }
        let grace = self.grace.unwrap_or((self.asking.ttl / 6).min(Duration::from_secs(5)));
        let code = runtime(1)?.block_on(async {
            let mut signals = Signals::catch().map_err(|error| fail(format!("can't catch signals: {error}.")))?;
            let begun = Moment::now();
            // A signal closes the connection, and the server takes the request out of the queue.
            let acquired = tokio::select! {
                acquired = self.acquire(&client, &reporter) => acquired,
                signal = signals.next_end() => return Err(ExitCode::from(128 + signal.as_raw() as u8)),
            };
            let set = match acquired {
                Ok(set) => set,
                Err(error) => return Err(self.not_acquired(&reporter, &error).await),
            };
            let mut leases = Leases::of(&set);
            let waited = begun.elapsed();
            let facts = acquired_facts(&set, &mut leases, waited);
            match waited > Duration::from_secs(1) {
                true => reporter.say(
                    "acquired",
                    facts,
                    &format!("acquired {} after {:.1} s.", reporter.names(), waited.as_secs_f64()),
                ),
                false => reporter.mention("acquired", facts),
            }
            let ended = Session::start(&self, grace, &set, leases, &reporter, signals);
            let ended = match ended {
                Ok(session) => session.run(&set).await,
                Err(error) => Err(fail(format!("can't start the command: {error}."))),
            };
            match set.release().await {
                Ok(()) => reporter.mention("released", json!({})),
                Err(Error::Lost(_)) => {}
                Err(error) => reporter.warn(
                    "not_released",
                    json!({ "reason": error.to_string() }),
                    &format!(
                        "could not release {}, which ends with its lease: {error}.",
                        if self.names.len() == 1 { "the lock" } else { "each lock" }
                    ),
                ),
            }
            ended
        })?;
        if code == 0 { Ok(()) } else { Err(ExitCode::from(code)) }
    }

    async fn acquire(&self, client: &Client, reporter: &Reporter) -> Result<GuardSet, Error> {
        // A server that knows no sets has to be asked for one lock.
        if let [name] = &self.names[..] {
            let mut request = self.asking.request(client, name).on_progress(reporter.reporting());
            if let Some(grace) = self.grace {
                request = request.grace(grace);
            }
            return request.acquire().await.map(GuardSet::from);
        }
        let mut request = self.asking.request_all(client, &self.names).on_progress(reporter.reporting());
        if let Some(grace) = self.grace {
            request = request.grace(grace);
        }
        request.acquire().await
    }

    async fn not_acquired(&self, reporter: &Reporter, error: &Error) -> ExitCode {
        match error {
            Error::NotAcquired(busy) => {
                let (facts, sentence) = reporter.describe(busy).await;
                reporter.say("not_acquired", facts, &format!("not acquired: {sentence}."));
                ExitCode::from(self.conflict_exit_code)
            }
            Error::Refused { code, message, .. } if code == Code::Replaced.as_str() => {
                let sentence = format!("not acquired: {}.", message.trim_end_matches('.'));
                reporter.say("not_acquired", json!({ "reason": message }), &sentence);
                ExitCode::from(self.conflict_exit_code)
            }
            _ => {
                reporter.warn("failed", json!({ "reason": error.to_string() }), &format!("{error}."));
                ExitCode::from(exit::code(error))
            }
        }
    }
}

/// What the event of an acquired lock tells, or of several.
fn acquired_facts(set: &GuardSet, leases: &mut Leases, waited: Duration) -> Value {
    let of = |guard: &Guard| json!({ "fence": guard.fence(), "floor": guard.floor(), "mode": guard.mode(), "permits": guard.permits() });
    let mut facts = match set.guards() {
        [guard] => of(guard),
        guards => {
            let of = |guard: &Guard| {
                let mut lock = of(guard);
                lock["resource"] = guard.resource().into();
                lock
            };
            json!({ "locks": guards.iter().map(of).collect::<Vec<_>>() })
        }
    };
    facts["owner"] = set.guards().first().map(Guard::owner).into();
    facts["expireAt"] = leases.first_to_end().map(|lease| lease.expire_at).into();
    facts["waitedMs"] = (waited.as_millis() as u64).into();
    facts
}

/// The command under the lock.
struct Session<'a> {
    lock: &'a Lock,
    grace: Duration,
    reporter: &'a Reporter,
    leases: Leases,
    signals: Signals,
    deaths: tokio::signal::unix::Signal,
    minder: Minder,
    child: Child,
    terminal: Option<Terminal>,
    token_file: TokenFile,
}

impl<'a> Session<'a> {
    fn start(
        lock: &'a Lock,
        grace: Duration,
        set: &GuardSet,
        mut leases: Leases,
        reporter: &'a Reporter,
        signals: Signals,
    ) -> std::io::Result<Self> {
        let deaths = signal(SignalKind::child())?;
        let lease = leases.first_to_end();
        let token_file = TokenFile::new(&leases.tokens())?;
        let mut minder = Minder::start()?;
        minder.kill_at(lease.as_ref().filter(|_| lock.dies_with_the_lease()).map(|lease| lease.ends));
        let group = minder.group();
        let terminal = Terminal::to_share();
        if let Some(terminal) = &terminal {
            terminal.give_to(group);
        }
        let environment = environment::variables(set, lease.map(|lease| lease.expire_at).unwrap_or_default());
        let child = Child::start(&lock.command, group, &environment, &token_file);
        match child {
            Ok(child) => {
                Ok(Self { lock, grace, reporter, leases, signals, deaths, minder, child, terminal, token_file })
            }
            Err(error) => {
                if terminal.is_some() {
                    minder.give_terminal_to(getpgrp());
                }
                minder.dismiss();
                Err(error)
            }
        }
    }

    /// Runs until the command and all processes that come from it have ended. Returns the exit code.
    async fn run(mut self, set: &GuardSet) -> Result<u8, ExitCode> {
        let (mut lost, mut code, mut terminated) = (None, None, false);
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
                            kill_at = kill_at.min(Moment::now() + self.grace);
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
                    _ => self.child.signal_group(signal),
                },
                changed = self.leases.changed(), if lost.is_none() => if let (true, Some(lease)) = (changed, self.leases.first_to_end()) {
                    self.token_file.write(&self.leases.tokens());
                    match lease.is_breaking {
                        true => self.warn_of_the_end(lease.ends),
                        false => self.reporter.mention("renewed", json!({ "expireAt": lease.expire_at })),
                    }
                    if self.lock.dies_with_the_lease() {
                        self.minder.kill_at(Some(lease.ends));
                    }
                },
                reason = &mut losing, if lost.is_none() => {
                    let ends = self.leases.end().unwrap_or_else(Moment::now);
                    if self.lose(&reason) {
                        kill_at = if matches!(reason, Lost::Ended(_)) { Moment::now() + self.grace } else { ends };
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
        if over && self.lock.dies_with_the_lease() && terminated | (code == 128 + 9) {
            return Ok(exit::LOST);
        }
        Ok(code)
    }

    /// Reports that somebody breaks the lock, which lasts until then.
    fn warn_of_the_end(&self, ends: Moment) {
        let (names, left) = (self.reporter.names(), ends.left());
        let sentence =
            format!("somebody breaks {names}, which can't be renewed and ends in {:.1} s.", left.as_secs_f64());
        match self.lock.on_lost {
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
        match self.lock.on_lost {
            OnLost::Kill => self.reporter.warn("lost", facts, &format!("lost {names}, ending the command: {reason}.")),
            OnLost::Warn => self.reporter.warn(
                "lost",
                facts,
                &format!("lost {names}, the command goes on without the lock: {reason}."),
            ),
            OnLost::Ignore => self.reporter.mention("lost", facts),
        }
        self.lock.dies_with_the_lease()
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

impl Lock {
    fn dies_with_the_lease(&self) -> bool {
        self.on_lost == OnLost::Kill
    }
}

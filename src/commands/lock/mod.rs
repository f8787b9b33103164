//! `gorilla lock NAME… -- command`: runs a command while it holds a lock, or several locks.
//!
//! Three processes: this process takes the lock, renews it and passes signals on; the command; and a minder
//! (`minder.rs`) that kills the command when this process can't.

mod child;
mod elect;
mod environment;
mod leases;
mod minder;
mod reporter;
mod session;
mod signals;
mod tenure;
mod terminal;
mod token_file;

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::Args;
use gorilla_client::{Client, Code, Error, Guard, GuardSet, Moment};
use serde_json::json;

use super::{
    client::{Asking, Remote, duration, name},
    exit,
    messages::{fail, tell},
    runtime::runtime,
};
use leases::Leases;
use session::{OnLost, Plan, Session};
use signals::Signals;
use tenure::{acquired_facts, release};

pub use child::launch;
pub use elect::Elect;
pub use minder::run as mind;
pub use reporter::Reporter;

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
    /// Notice at once that the lock is broken, instead of with the next renewal; costs the server a request that waits for
    /// each lock. Does nothing for shared locks
    #[arg(long)]
    watch: bool,
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
        let grace = self.grace.unwrap_or_else(|| self.asking.holding.usual_grace());
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
            if self.watch {
                set.guards().iter().for_each(Guard::watch);
            }
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
            let plan = Plan { command: &self.command, on_lost: self.on_lost, grace };
            let ended = match Session::start(plan, &set, leases, &reporter, &mut signals) {
                Ok(session) => Ok(session.run(&set).await),
                Err(error) => Err(fail(format!("can't start the command: {error}."))),
            };
            release(set, &reporter).await;
            ended.map(|ended| if ended.with_the_lock { exit::LOST } else { ended.code })
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

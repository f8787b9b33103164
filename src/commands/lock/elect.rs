//! `gorilla elect NAME -- command`: runs a command while this client leads an election.

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::Args;
use gorilla_client::{Campaign, Error, GuardSet, Moment};
use serde_json::json;

use super::{
    leases::Leases,
    reporter::Reporter,
    session::{Ended, OnLost, Plan, Session},
    signals::Signals,
    tenure::{acquired_facts, release},
};
use crate::commands::{
    client::{Holding, Remote, duration, name},
    exit,
    messages::fail,
    runtime::runtime,
};

/// Run a command while leading an election.
#[derive(Args)]
#[command(
    after_help = "An election is the lock of its name. Of all clients that run `gorilla elect` with this name, one leads and \
    runs its command; the others wait. If the leader loses its lease, its command is stopped as by `gorilla lock`, and the \
    client waits again when the command has ended. When the command ends by itself, the leader resigns, and `gorilla elect` \
    ends.\n\nThe command gets the environment of `gorilla lock`; GORILLA_LOCK_FENCE is the term: larger than all terms \
    before. Send it along with each write.\n\n\
    Exit codes: that of the command; 128 + the signal that ended the command or the waiting; 69 server unreachable, 64 wrong \
    usage, 78 wrong settings, 126 and 127 as in shells.\n\n\
    Examples:\n  gorilla elect scheduler -- ./scheduler\n  \
    gorilla elect scheduler --ttl 10s --meta url=http://10.0.0.7:8080 -- ./scheduler"
)]
pub struct Elect {
    /// The name of the election: any name without `/` and control characters, up to 256 bytes
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    #[command(flatten)]
    holding: Holding,
    /// The time from TERM to KILL. After a loss the command gets TERM this long before the lease may end, and KILL at its
    /// end [default: a sixth of the lease, at most 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    grace: Option<Duration>,
    /// Notice a loss at once instead of with the next renewal; costs the server a request that waits
    #[arg(long)]
    watch: bool,
    /// Print what happens as JSON on standard error, one event a line
    #[arg(long)]
    json: bool,
    /// Print only errors on standard error
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    remote: Remote,
    /// The command and its arguments, run without a shell
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<OsString>,
}

impl Elect {
    pub fn run(self) -> Result<(), ExitCode> {
        let (client, warning) = self.remote.client_and_warning()?;
        let reporter = Reporter::new(&client, std::slice::from_ref(&self.name), self.json, self.quiet);
        if let Some(warning) = warning {
            reporter.warn("warning", json!({ "reason": warning }), &warning);
        }
        let code = runtime(1)?.block_on(async {
            let mut signals = Signals::catch().map_err(|error| fail(format!("can't catch signals: {error}.")))?;
            let mut campaign = self.holding.campaign(&client, &self.name).on_progress(reporter.reporting());
            if let Some(grace) = self.grace {
                campaign = campaign.grace(grace);
            }
            loop {
                let set = self.win(&mut campaign, &reporter, &mut signals).await?;
                let ended = self.lead(set, &reporter, &mut signals).await?;
                match ended {
                    Ended { with_the_lock: false, code, .. } => return Ok::<u8, ExitCode>(code),
                    // Whoever ended the command while its lease was lost wants no other term.
                    Ended { signal: Some(signal), .. } => return Ok(128 + signal.as_raw() as u8),
                    Ended { signal: None, .. } => {}
                }
            }
        })?;
        if code == 0 { Ok(()) } else { Err(ExitCode::from(code)) }
    }

    /// Waits until this client is elected.
    async fn win(
        &self,
        campaign: &mut Campaign,
        reporter: &Reporter,
        signals: &mut Signals,
    ) -> Result<GuardSet, ExitCode> {
        let begun = Moment::now();
        // A signal closes the connection, and the server takes the candidate out of the queue.
        let won = tokio::select! {
            won = campaign.win() => won,
            signal = signals.next_end() => return Err(ExitCode::from(128 + signal.as_raw() as u8)),
        };
        let guard = won.map_err(|error: Error| {
            reporter.warn("failed", json!({ "reason": error.to_string() }), &format!("{error}."));
            ExitCode::from(exit::code(&error))
        })?;
        if self.watch {
            guard.watch();
        }
        let (waited, term) = (begun.elapsed(), guard.fence());
        let set = GuardSet::from(guard);
        let facts = acquired_facts(&set, &mut Leases::of(&set), waited);
        let (name, seconds) = (reporter.names(), waited.as_secs_f64());
        reporter.say("acquired", facts, &format!("leading {name} in term {term} after {seconds:.1} s."));
        Ok(set)
    }

    /// Runs the command for a term, and resigns when it has ended.
    async fn lead(&self, set: GuardSet, reporter: &Reporter, signals: &mut Signals) -> Result<Ended, ExitCode> {
        let grace = self.grace.unwrap_or_else(|| self.holding.usual_grace());
        let plan = Plan { command: &self.command, on_lost: OnLost::Kill, grace };
        let ended = match Session::start(plan, &set, Leases::of(&set), reporter, signals) {
            Ok(session) => Ok(session.run(&set).await),
            Err(error) => Err(fail(format!("can't start the command: {error}."))),
        };
        release(set, reporter).await;
        ended
    }
}

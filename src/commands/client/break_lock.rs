//! `gorilla break`: ends a lock without its token.: ends a lock without its token.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use gorilla_client::{Member, State};

use super::{
    Remote,
    asking::name,
    cells::{age, count},
    duration,
    remote::block_on,
    show::{self, clients},
};
use crate::commands::{exit, messages::tell};

/// End a lock whose holder is gone.
#[derive(Args)]
#[command(
    after_help = "Breaking a lock does not stop its holder: look first who holds it. Without --fence, the lock is broken only if \
    it is still held by the holder that was shown. If several clients share the lock, --fence says which of them to end; \
    `gorilla status` shows the fences. With --grace the holder keeps the lock for so long and can't extend it.\n\nExamples:\n  gorilla break deploy --reason 'ci-7 was switched off'\n  \
    gorilla break imports --fence 1795544014849830 --reason 'worker-3 is stuck'\n  gorilla break deploy --reason maintenance --grace 1m"
)]
pub struct Break {
    /// The name of the lock
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Why you break the lock, for the server's audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Break the lock only while its grant has this fence; of a shared lock, end the holder with this fence
    #[arg(long, value_name = "FENCE")]
    fence: Option<u64>,
    /// How long the holder may keep the lock, to come to an end: 30s, 1m [default: the lock ends at once]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    grace: Option<Duration>,
    /// Break the lock without asking
    #[arg(short, long)]
    yes: bool,
    /// Print JSON with the fields of the HTTP API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Break {
    pub fn run(&self) -> Result<(), ExitCode> {
        let client = self.remote.client()?;
        let state = block_on(client.state(&self.name))?;
        let fence = self.holder(&state)?;
        if !self.yes {
            self.ask(&state, fence)?;
        }
        let grace = self.grace.unwrap_or_default();
        let broken = block_on(client.break_with_grace(&self.name, Some(fence), grace, &self.reason))?;
        if self.json {
            show::json(&broken);
            return Ok(());
        }
        let end = broken
            .ttl_ms
            .map_or_else(String::new, |left| format!("; its holder may keep it for {:.1} s", left as f64 / 1000.0));
        println!("Broke {:?}, held by {:?} (fence {}){end}.", broken.resource, broken.owner, broken.fence);
        Ok(())
    }

    /// The fence of the holder to end.
    fn holder(&self, state: &State) -> Result<u64, ExitCode> {
        let Some(tenure) = &state.tenure else {
            tell(format_args!("nobody holds {:?}.", self.name));
            return Err(ExitCode::FAILURE);
        };
        match (&state.group, self.fence) {
            (_, Some(fence)) => Ok(fence),
            (Some(group), None) if group.holder_count > 1 => {
                tell(format_args!(
                    "{} share {:?}; say with --fence which of them to end:",
                    clients(group.holder_count),
                    self.name
                ));
                for Member { tenure, permits, .. } in &group.holders {
                    let permits = count((*permits).into(), "permit", "permits");
                    tell(format_args!(
                        "--fence {} ends {:?}, {permits}, for {}",
                        tenure.fence,
                        tenure.owner,
                        age(tenure)
                    ));
                }
                Err(ExitCode::from(exit::USAGE))
            }
            _ => Ok(tenure.fence),
        }
    }

    /// Asks the user whether to break the lock.
    fn ask(&self, state: &State, fence: u64) -> Result<(), ExitCode> {
        if !io::stdin().is_terminal() {
            tell("there is no terminal to ask on; give --yes to break the lock without asking.");
            return Err(ExitCode::from(exit::USAGE));
        }
        let members = state.group.iter().flat_map(|group| &group.holders).map(|member| &member.tenure);
        let held = match members.chain(&state.tenure).find(|tenure| tenure.fence == fence) {
            Some(tenure) => format!("is held by {:?} for {} (fence {fence})", tenure.owner, age(tenure)),
            // The server lists at most 100 holders, and refuses if none of all has this fence.
            None => format!("has no holder with the fence {fence} among those that the server lists"),
        };
        eprint!("{:?} {held}. Break it? [y/N] ", self.name);
        let mut answer = String::new();
        let read = io::stderr().flush().and_then(|()| io::stdin().lock().read_line(&mut answer));
        if read.is_err() || !matches!(answer.trim(), "y" | "Y" | "yes") {
            tell("not broken.");
            return Err(ExitCode::FAILURE);
        }
        Ok(())
    }
}

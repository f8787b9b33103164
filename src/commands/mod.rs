//! The command line: one file a command.

mod access_file;
mod audit;
mod can;
mod client;
mod config;
mod dev;
mod exit;
mod healthcheck;
mod key;
mod lock;
mod manual;
mod messages;
mod runtime;
mod serve;
mod sources;

use std::{borrow::Cow, ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

use crate::printable;
use sources::Sources;

/// A distributed lock service: REST in front of Redis, with fencing tokens and safe retries, and the commands to use
/// it.
#[derive(Parser)]
#[command(
    version,
    after_help = "Try it:  gorilla dev\nThen:    curl -X POST http://127.0.0.1:4000/api/v1/locks/orders -H 'Content-Type: application/json' -d '{\"owner\":\"me\",\"timeout\":30}'\nOr:      gorilla lock orders -- sleep 10 & gorilla ls\n\nExit codes: 0 done, 64 wrong usage, 69 server unreachable or outcome unknown, 75 lock not acquired, 76 lock lost, 78 wrong settings, 1 anything else"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve locks kept in your Redis
    Serve(Sources),
    /// Serve locks kept in a private Redis, to try Gorilla or to develop against it
    Dev(dev::Dev),
    /// Run a command while holding a lock
    Lock(Box<lock::Lock>),
    /// Run a command while leading an election
    Elect(Box<lock::Elect>),
    /// Acquire a lock that outlives this command
    Acquire(client::Acquire),
    /// Make the lease of a lock last longer, or convert the lock
    Extend(client::Extend),
    /// Release a lock
    Release(client::Release),
    /// Show who holds a lock, since when, and how many requests wait
    Status(client::Status),
    /// Show the requests that wait for a lock
    Queue(client::Queue),
    /// Show, pin or unpin how many permits the holders of a shared lock may have
    Limit(client::Limit),
    /// Wait until nobody holds a lock, and take nothing
    Wait(client::Wait),
    /// Tell what happens to locks, as it happens
    Events(client::Events),
    /// List the locks that are held
    Ls(client::Ls),
    /// End a lock whose holder is gone
    Break(client::Break),
    /// Look at the settings of a server
    #[command(subcommand)]
    Config(config::Config),
    /// Make and check API keys
    #[command(subcommand)]
    Key(key::Key),
    /// Tell whether an access file allows something, and which rule does
    Can(can::Can),
    /// Look whether audit files were changed
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Ask the Gorilla on this machine whether it is alive; for container health checks
    Healthcheck(Sources),
    /// Print the completions of the commands for a shell
    Completions(manual::Completions),
    /// Write man pages into a folder
    Man(manual::Man),
    /// Kills the command of `gorilla lock` when `gorilla lock` itself can't
    #[command(hide = true)]
    Minder,
    /// Becomes the command of `gorilla lock`
    #[command(hide = true)]
    Launch {
        parent: i32,
        token_file: i32,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_error) => {
            let wrong = help_or_error.use_stderr();
            let text = help_or_error.render().to_string();
            // The text repeats arguments, which a script may have from other people.
            if text.lines().any(|line| matches!(printable::for_people(line), Cow::Owned(_))) {
                text.lines().for_each(|line| eprintln!("{}", printable::for_people(line)));
            } else {
                // If standard error is closed, there is nothing else to do.
                let _ = help_or_error.print();
            }
            return if wrong { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Serve(sources) => serve::run(&sources),
        Command::Dev(dev) => dev.run(),
        Command::Config(config) => config.run(),
        Command::Key(key) => key.run(),
        Command::Can(can) => can.run(),
        Command::Audit(audit) => audit.run(),
        Command::Healthcheck(sources) => healthcheck::run(&sources),
        Command::Lock(lock) => lock.run(),
        Command::Elect(elect) => elect.run(),
        Command::Acquire(acquire) => acquire.run(),
        Command::Extend(extend) => extend.run(),
        Command::Release(release) => release.run(),
        Command::Status(status) => status.run(),
        Command::Queue(queue) => queue.run(),
        Command::Limit(limit) => limit.run(),
        Command::Wait(wait) => wait.run(),
        Command::Events(events) => events.run(),
        Command::Ls(ls) => ls.run(),
        Command::Break(command) => command.run(),
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Man(man) => man.run(Cli::command()),
        Command::Minder => lock::mind(),
        Command::Launch { parent, token_file, command } => Err(lock::launch(parent, token_file, &command)),
    };
    done.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

//! The command line: one file a command.

mod client;
mod config;
mod dev;
mod exit;
mod healthcheck;
mod lock;
mod manual;
mod serve;

use std::{borrow::Cow, ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::{
    printable,
    settings::{Flag, Settings},
};

/// A distributed lock service: REST in front of Redis, with fencing tokens and safe retries, and the commands to use it.
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
    /// Acquire a lock that outlives this command
    Acquire(client::Acquire),
    /// Make the lease of a lock last longer
    Extend(client::Extend),
    /// Release a lock
    Release(client::Release),
    /// Show who holds a lock, since when, and who waits
    Status(client::Status),
    /// List the locks that are held
    Ls(client::Ls),
    /// End a lock whose holder is gone
    Break(client::Break),
    /// Look at the settings of a server
    #[command(subcommand)]
    Config(config::Config),
    /// Ask the Gorilla on this machine whether it is alive; for container health checks
    Healthcheck(Sources),
    /// Print the completions of the commands for a shell
    Completions(manual::Completions),
    /// Write man pages into a folder
    Man(manual::Man),
    /// Kills the command of `gorilla lock` when that can't
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

/// Where settings come from. Every setting can also be given as an environment variable `GORILLA__SECTION__KEY`.
#[derive(Args, Default)]
struct Sources {
    /// Read settings from this TOML file; `gorilla config show` prints one to start from
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve on this address, 127.0.0.1:4000 by default
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Keep locks in this Redis, redis://127.0.0.1:6379 by default. Everybody on this machine can read arguments in the
    /// list of processes: put a URL with a password into the environment variable GORILLA__REDIS__URL, or into the file
    /// of --config
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
}

impl Sources {
    fn flags(&self) -> Vec<Flag> {
        let flag = |name, key, value: &Option<String>| Some(Flag { name, key, value: value.clone()? });
        let listen = flag("--listen", "server.listen", &self.listen);
        let redis_url = flag("--redis-url", "redis.url", &self.redis_url);
        listen.into_iter().chain(redis_url).collect()
    }

    /// The settings, or what is wrong with them on standard error.
    fn load(&self) -> Result<Settings, ExitCode> {
        Settings::load(self.config.as_deref(), &self.flags()).map_err(|problems| {
            eprint!("gorilla: the settings are wrong:\n{problems}");
            ExitCode::from(exit::CONFIG)
        })
    }
}

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_error) => {
            let wrong = help_or_error.use_stderr();
            let text = help_or_error.render().to_string();
            // It repeats arguments, which a script may have from others.
            if text.lines().any(|line| matches!(printable::for_people(line), Cow::Owned(_))) {
                text.lines().for_each(|line| eprintln!("{}", printable::for_people(line)));
            } else {
                // Where nobody reads it there is nothing else to do.
                let _ = help_or_error.print();
            }
            return if wrong { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Command::Serve(sources) => serve::run(&sources),
        Command::Dev(dev) => dev.run(),
        Command::Config(config) => config.run(),
        Command::Healthcheck(sources) => healthcheck::run(&sources),
        Command::Lock(lock) => lock.run(),
        Command::Acquire(acquire) => acquire.run(),
        Command::Extend(extend) => extend.run(),
        Command::Release(release) => release.run(),
        Command::Status(status) => status.run(),
        Command::Ls(ls) => ls.run(),
        Command::Break(command) => command.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Minder => lock::mind(),
        Command::Launch { parent, token_file, command } => Err(lock::launch(parent, token_file, &command)),
    };
    done.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// Says a sentence on standard error, where what others wrote may be a part of it.
fn tell(sentence: impl std::fmt::Display) {
    eprintln!("gorilla: {}", printable::for_people(&sentence.to_string()));
}

/// Ends with a sentence on standard error.
fn fail(sentence: impl std::fmt::Display) -> ExitCode {
    tell(sentence);
    ExitCode::FAILURE
}

/// Connections with something to read that are served before what they ask for goes to Redis. All at once would have Redis
/// wait while they are read and them while Redis works; fewer, and requests that come in one moment no longer go together.
const SERVED_TOGETHER: usize = 16;

/// What asynchronous commands run on. A single thread needs no waking of others, and sends to Redis at once what many
/// connections asked for.
fn runtime(threads: usize) -> Result<Runtime, ExitCode> {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let built = builder.worker_threads(threads).max_io_events_per_tick(SERVED_TOGETHER).enable_all().build();
    built.map_err(|error| fail(format!("no threads can be started: {error}.")))
}

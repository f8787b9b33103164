//! The command line: one file a command.

mod config;
mod dev;
mod healthcheck;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::settings::{Flag, Settings};

/// `EX_CONFIG` of sysexits.h: something in the settings is wrong.
const EXIT_CONFIG: u8 = 78;

/// A distributed lock service: REST in front of Redis, with fencing tokens and safe retries.
#[derive(Parser)]
#[command(
    version,
    after_help = "Try it:  gorilla dev\nThen:    curl -X POST http://127.0.0.1:4000/api/v1/locks/orders -H 'Content-Type: application/json' -d '{\"owner\":\"me\",\"timeout\":30}'"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve locks kept in a Redis of yours
    Serve(Sources),
    /// Serve locks kept in a private Redis, to try Gorilla or to develop against it
    Dev(dev::Dev),
    /// Look at the settings
    #[command(subcommand)]
    Config(config::Config),
    /// Ask the Gorilla on this machine whether it is alive; for container health checks
    Healthcheck(Sources),
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
    /// Keep locks in this Redis, redis://127.0.0.1:6379 by default
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
            ExitCode::from(EXIT_CONFIG)
        })
    }
}

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(sources) => serve::run(&sources),
        Command::Dev(dev) => dev.run(),
        Command::Config(config) => config.run(),
        Command::Healthcheck(sources) => healthcheck::run(&sources),
    };
    done.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// Ends with a sentence on standard error.
fn fail(sentence: impl std::fmt::Display) -> ExitCode {
    eprintln!("gorilla: {sentence}");
    ExitCode::FAILURE
}

/// What asynchronous commands run on. A single thread needs no waking of others, and sends to Redis at once what all
/// connections asked for.
fn runtime(threads: usize) -> Result<Runtime, ExitCode> {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let built = builder.worker_threads(threads).enable_all().build();
    built.map_err(|error| fail(format!("no threads can be started: {error}.")))
}

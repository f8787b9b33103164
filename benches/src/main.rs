//! Measures what Gorilla costs, beside other ways to take a lock. README.md says how to read and repeat the
//! measurements.

mod bench;
mod budget;
mod contestant;
mod contestants;
mod described;
mod floor;
mod held;
mod http;
mod language;
mod load;
mod machine;
mod programs;
mod redis_benchmark;
mod report;
mod results;
mod rslock;
mod run;
mod scale;
mod scripts;
mod servers;
mod task;
mod waiters;
mod workload;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

use bench::Options;
use task::Task;

/// Measures Gorilla beside other ways to take a lock
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Measures, and keeps the figures
    Run(Options),
    /// Counts the instructions of each kind of request, and compares them with benches/budget.toml
    Budget {
        /// The release build to measure
        #[arg(long, default_value = "target/release/gorilla")]
        program: PathBuf,
        /// Write the measured figures into the budget
        #[arg(long)]
        write: bool,
    },
    /// Counts what API keys, quotas and the audit file cost, in instructions or in processor time
    Access {
        /// Measure processor time instead, in so many rounds in which all set-ups take turns
        #[arg(long)]
        rounds: Option<usize>,
        /// The release build to measure
        #[arg(long, default_value = "target/release/gorilla")]
        program: PathBuf,
    },
    /// Writes the tables and plots of what `run` measured
    Report {
        /// The measured figures
        #[arg(long, default_value = "target/bench/results.json")]
        results: PathBuf,
        /// The folder with BENCHMARKS.md, for its tables and plots
        #[arg(long, default_value = "docs")]
        docs: PathBuf,
    },
    /// Measures, predicts and reports how Gorilla grows with replicas and with masters of a Cluster
    #[command(subcommand)]
    Scale(scale::Command),
    /// Serves the bare route on this port of 127.0.0.1
    #[command(hide = true)]
    Floor { port: u16 },
    /// Lets a contestant do a task with the Redis at this port, and prints what it saw
    #[command(hide = true)]
    Try {
        contestant: String,
        redis_port: u16,
        #[command(flatten)]
        task: Task,
    },
}

fn main() -> ExitCode {
    let failed = |why| {
        eprintln!("bench: {why:#}");
        ExitCode::FAILURE
    };
    run().map_or_else(failed, |()| ExitCode::SUCCESS)
}

fn run() -> Result<()> {
    match Command::parse() {
        Command::Run(options) => run::run(options),
        Command::Budget { program, write } => budget::run(&program, write),
        Command::Access { program, rounds: None } => budget::access(&program),
        Command::Access { program, rounds: Some(rounds) } => budget::access_time(&program, rounds),
        Command::Report { results, docs } => report::run(&results, &docs),
        Command::Scale(command) => scale::run(command),
        Command::Floor { port } => floor::serve(port),
        Command::Try { contestant, redis_port, task } => {
            let prepared = contestants::prepare(&contestant, redis_port, None);
            let prepared = prepared.with_context(|| format!("{contestant} is missing"))?;
            let seen = (prepared.take_turn)(&task)?;
            println!("{}", serde_json::to_string(&seen)?);
            Ok(())
        }
    }
}

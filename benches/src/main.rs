//! What Gorilla costs, beside what others cost. README.md beside this crate says how to read and repeat it.

mod direct;
mod results;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Measures Gorilla beside other ways to take a lock
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the tables and plots of what `run` measured
    Report {
        /// What was measured
        #[arg(long, default_value = "target/bench/results.json")]
        results: PathBuf,
        /// The folder for BENCHMARKS.md and its plots
        #[arg(long, default_value = "docs")]
        docs: PathBuf,
    },
    /// Tries one of the clients that bring their own library
    #[command(hide = true)]
    Direct(direct::Trial),
    /// The clients of rslock, as a process of their own
    #[command(hide = true)]
    Rslock(direct::Task),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Report { results, docs } => match results::Results::load(&results) {
            Ok(results) => {
                println!("{} samples for {}", results.samples.len(), docs.display());
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("bench: {}: {error}; `bench run` writes it", results.display());
                ExitCode::FAILURE
            }
        },
        Command::Direct(trial) => told(trial.run()),
        Command::Rslock(task) => told(direct::rslock_as_a_process(task)),
    }
}

fn told(outcome: Result<String, String>) -> ExitCode {
    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

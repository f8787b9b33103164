//! What Gorilla costs, beside what others cost. README.md beside this crate says how to read and repeat it.

mod report;
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
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Report { results, docs } => match results::Results::load(&results) {
            Ok(results) => report::command(&results, &docs),
            Err(error) => {
                eprintln!("bench: {}: {error}; `bench run` writes it", results.display());
                ExitCode::FAILURE
            }
        },
    }
}

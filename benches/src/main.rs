//! What Gorilla costs, beside what others cost. README.md beside this crate says how to read and repeat it.

mod budget;
mod circumstances;
mod contestant;
mod direct;
mod load;
mod proc;
mod report;
mod results;
mod run;
mod scripts;
mod workload;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use results::Results;

/// Measures Gorilla beside other ways to take a lock
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures, and keeps the figures
    Run(run::Options),
    /// Counts the instructions of each kind of request, and holds them against benches/budget.toml
    Budget {
        /// The release build to measure
        #[arg(long, default_value = "target/release/gorilla")]
        program: PathBuf,
        /// Write what was measured into the budget
        #[arg(long)]
        write: bool,
    },
    /// Writes the tables and plots of what `run` measured
    Report {
        /// What was measured
        #[arg(long, default_value = "target/bench/results.json")]
        results: PathBuf,
        /// The folder for BENCHMARKS.md and its plots
        #[arg(long, default_value = "docs")]
        docs: PathBuf,
    },
    /// Serves the bare route on this port of 127.0.0.1
    #[command(hide = true)]
    Floor { port: u16 },
    /// Tries one of the clients that bring their own library
    #[command(hide = true)]
    Direct(direct::Trial),
    /// The clients of rslock, as a process of their own
    #[command(hide = true)]
    Rslock(direct::Task),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => run(options),
        Command::Budget { program, write } => budget::run(&program, write),
        Command::Report { results, docs } => tell(&results, &docs),
        Command::Direct(trial) => trial.run().map(|line| println!("{line}")),
        Command::Rslock(task) => direct::rslock_as_a_process(task).map(|line| println!("{line}")),
        Command::Floor { port } => contestant::serve_floor(port).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: run::Options) -> Result<(), String> {
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(run::run(options))
}

/// Writes the report and says where it is.
fn tell(results: &Path, docs: &Path) -> Result<(), String> {
    let measured =
        Results::load(results).map_err(|error| format!("{}: {error}; `bench run` writes it", results.display()))?;
    report::write(&measured, docs).map_err(|error| format!("no report in {}: {error}", docs.display()))?;
    println!("{} samples are told in {}", measured.samples.len(), docs.join(report::DOCUMENT).display());
    Ok(())
}

/// Ten thousand waiters are as many connections.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        eprintln!("bench: the limit on open files stays at {:?}: {error}", limit.current);
    }
}

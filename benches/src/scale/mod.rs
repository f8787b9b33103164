//! How Gorilla grows beyond this machine: measures what requests cost here, simulates other set-ups with these costs,
//! and writes docs/internals/scale.md.

mod bounds;
mod costs;
mod measure;
mod page;
mod simulate;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};

use crate::results::Results;
use simulate::{SEED, Setup, simulate};

#[derive(Subcommand)]
pub enum Command {
    /// Measures the costs here, and what the model is to predict, in about four minutes
    Measure {
        /// How often each set-up has its turns
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// How long the counted part of a turn is, in seconds
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        #[command(flatten)]
        file: File,
    },
    /// Prints what the model predicts of replicas and masters on machines of their own
    Predict {
        #[arg(long)]
        replicas: usize,
        /// One is a Redis by itself, more are a Cluster
        #[arg(long)]
        masters: usize,
        /// Clients without a rest between two locks
        #[arg(long)]
        clients: usize,
        /// The round trip between two machines, in milliseconds
        #[arg(long, default_value_t = 0.5)]
        round_trip: f64,
        #[command(flatten)]
        file: File,
    },
    /// Writes the measured sections of docs/internals/scale.md
    Report {
        #[arg(long, default_value = "docs/internals/scale.md")]
        page: PathBuf,
        #[command(flatten)]
        file: File,
    },
}

#[derive(Args)]
pub struct File {
    /// The file for what was measured
    #[arg(long, default_value = "target/bench/scale.json")]
    results: PathBuf,
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Measure { rounds, seconds, file } => measure::run(rounds, seconds, &file.results),
        Command::Predict { replicas, masters, clients, round_trip, file } => {
            ensure!(replicas > 0 && masters > 0 && clients > 0, "there must be a replica, a master and a client");
            let costs = page::costs(&Results::load(&file.results)?)?;
            let (cluster, round_trip) = (masters > 1, round_trip * 1000.0);
            let setup = Setup { replicas, masters, cluster, clients, rest: 0.0, cores: None, round_trip };
            println!("{:#?}\n{:#?}", simulate(&setup, &costs, 1.0, SEED), bounds::bounds(&setup, &costs));
            Ok(())
        }
        Command::Report { page, file } => page::write(&Results::load(&file.results)?, &page),
    }
}

#[cfg(test)]
mod tests;

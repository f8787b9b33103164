//! The bench: what to measure and how, and the results so far.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use itertools::Itertools;

use crate::{report::aims, results::Figures, results::Results, results::Sample, task::Task, workload};

/// Contestants that aims compare have so many times as many rounds: on a machine that others use too, the ratios of three
/// rounds may be far apart.
const MORE_ROUNDS: u32 = 3;

/// How to measure.
#[derive(Args)]
pub struct Options {
    /// How often each contestant has its turn; three times as often if an aim compares it
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// How long the counted part of a turn is, in seconds
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// How long a turn goes on before it counts, in seconds
    #[arg(long, default_value_t = 0.4)]
    pub warm_up: f64,
    /// Only workloads with one of these in their names
    #[arg(long, value_name = "PART")]
    pub only: Vec<String>,
    /// Only with so many clients, locks, waiters or replicas
    #[arg(long, value_name = "COUNT")]
    pub at: Vec<u64>,
    /// Only these contestants
    #[arg(long = "contestant", value_name = "NAME")]
    pub contestants: Vec<String>,
    /// Another build of Gorilla, to compare this build with
    #[arg(long, value_name = "PROGRAM")]
    pub other: Option<PathBuf>,
    /// The file for the figures
    #[arg(long, default_value = "target/bench/results.json")]
    pub results: PathBuf,
}

/// What to measure, and the results so far.
pub struct Bench {
    pub options: Options,
    pub results: Results,
    pub trouble: bool,
}

/// A contestant, the size of the workload, and its turn.
pub type Turn<'a> = (&'a str, u64, Box<dyn Fn() -> Result<Figures> + 'a>);

impl Bench {
    /// The sizes of a workload that the options want.
    pub fn wanted(&self, workload: &str, ats: &[u64]) -> Vec<u64> {
        let Options { only, at, .. } = &self.options;
        let is_wanted = only.is_empty() || only.iter().any(|part| workload.contains(part));
        ats.iter().copied().filter(|one| is_wanted && (at.is_empty() || at.contains(one))).collect()
    }

    /// A task with so many clients in a closed loop.
    pub fn task(&self, workload: &str, clients: usize) -> Result<Task> {
        let Options { warm_up, seconds: measured, .. } = self.options;
        Ok(Task { workload: workload::named(workload)?, clients, warm_up, measured, rate: None })
    }

    /// Lets contestants take turns, prints what each saw, and saves it. If a turn fails, prints that, and goes on with
    /// the others. After the usual rounds, only contestants that aims compare go on.
    pub fn take_turns(&mut self, workload: &str, turns: &[Turn]) -> Result<()> {
        let usual = self.options.rounds;
        for round in 1..=usual * MORE_ROUNDS {
            let takes_part = |(contestant, at, _): &&Turn| round <= usual || aims::compare(workload, contestant, *at);
            for (contestant, at, turn) in turns.iter().filter(takes_part) {
                let seen = turn();
                let told =
                    seen.as_ref().map(|seen| seen.iter().map(|(name, value)| format!("{name} {value:.1}")).join(", "));
                eprintln!("{workload} {at} {contestant}: {}", told.unwrap_or_else(|why| format!("FAILED: {why:#}")));
                let (workload, contestant) = (workload.into(), contestant.to_string());
                match seen {
                    Ok(figures) => self.results.samples.push(Sample { workload, contestant, at: *at, round, figures }),
                    Err(_) => self.trouble = true,
                }
            }
        }
        self.save()
    }

    pub fn save(&self) -> Result<()> {
        self.results.save(&self.options.results)
    }
}

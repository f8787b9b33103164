//! Measures contestants under workloads, in rounds.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use gorilla_harness::{Redis, Replica};
use itertools::Itertools;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    contestant, contestant::Contestant, contestant::Task, held, machine, report::aims, results::Cell,
    results::Contestant as Listed, results::Figures, results::GORILLA, results::Results, results::Sample,
    servers::Server, waiters, workload, workload::Workload,
};

/// The number of clients if it does not vary.
const USUAL: u64 = 64;
/// If there are aims, there are so many times as many rounds: on a machine that others use too, the ratios of three
/// rounds may be far apart.
const MORE_ROUNDS: u32 = 3;
/// The part of the rate that the slower of two contestants reaches, so that neither is overloaded.
const PACE: f64 = 0.6;

/// How to measure.
#[derive(Args)]
pub struct Options {
    /// How often each contestant has its turn; three times as often if there are aims
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long the counted part of a turn is, in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How long a turn goes on before it counts, in seconds
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Only workloads with one of these in their names
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Only with so many clients, locks, waiters or replicas
    #[arg(long, value_name = "COUNT")]
    at: Vec<u64>,
    /// Only these contestants
    #[arg(long = "contestant", value_name = "NAME")]
    contestants: Vec<String>,
    /// Another build of Gorilla, to compare this build with
    #[arg(long, value_name = "PROGRAM")]
    other: Option<PathBuf>,
    /// The file for the figures
    #[arg(long, default_value = "target/bench/results.json")]
    results: PathBuf,
}

/// Measures everything, and saves the results after each workload.
pub fn run(options: Options) -> Result<()> {
    if let Some(other) = &options.other {
        ensure!(other.is_file(), "--other {}: there is no such build of gorilla", other.display());
    }
    // Ten thousand waiters need ten thousand connections.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let mut bench = Bench { options, results: Results::default(), trouble: false };
    bench.results.circumstances = machine::circumstances();
    bench.workloads()?;
    bench.replicas()?;
    held::measure(&mut bench)?;
    waiters::measure(&mut bench)?;
    ensure!(!bench.trouble, "some figures are missing, see above");
    Ok(())
}

/// What to measure, and the results so far.
pub struct Bench {
    options: Options,
    pub results: Results,
    trouble: bool,
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

    /// Lets contestants take turns for so many times the usual rounds, prints what each saw, and saves it. If a turn
    /// fails, prints that, and goes on with the others.
    pub fn take_turns(&mut self, workload: &str, times: u32, turns: &[Turn]) -> Result<()> {
        for round in 1..=self.options.rounds * times {
            for (contestant, at, turn) in turns {
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

    /// Prepares the contestants that the options want, as far as they are there.
    fn contestants(&mut self, redis: &Redis) -> Vec<(&'static String, Contestant)> {
        let Options { contestants: wanted, other, .. } = &self.options;
        let names = contestant::file().order.iter().filter(|name| wanted.is_empty() || wanted.contains(name));
        let mut ready = vec![];
        for name in names.filter(|name| *name != "gorilla-other" || other.is_some()) {
            let prepared = contestant::prepare(name, redis.port, other.as_deref());
            let missing = prepared.as_ref().err().map(|why| format!("{why:#}"));
            let what = prepared.as_ref().map_or(String::new(), |contestant| contestant.what.clone());
            eprintln!("{name}: {}", missing.as_ref().map_or(what.clone(), |why| format!("missing, {why}")));
            self.results.contestants.push(Listed { name: name.into(), what, missing });
            ready.extend(prepared.ok().map(|contestant| (name, contestant)));
        }
        ready
    }

    fn workloads(&mut self) -> Result<()> {
        let redis = Redis::start(&[]);
        let contestants = self.contestants(&redis);
        for Workload { name, clients, paced_by, contestants: who, .. } in workload::all() {
            for at in self.wanted(name, clients) {
                let mut task = self.task(name, at as usize)?;
                if let Some(contestant) = paced_by {
                    let cell = Cell { workload: "own-locks", contestant, at: USUAL };
                    let Some(reached) = self.results.figure(cell, "cycles_per_s") else { continue };
                    task.rate = Some((reached.median * PACE / 100.0).round() * 100.0);
                }
                let takes_part = |name: &str| who.is_empty() || who.iter().any(|one| one == name);
                let turns =
                    contestants.iter().filter(|(name, _)| takes_part(name) && at <= contestant::most_clients(name));
                let turns = turns.map(|(name, one)| -> Turn { (name, at, Box::new(|| (one.take_turn)(&task))) });
                let times = if aims::are_about(name, at) { MORE_ROUNDS } else { 1 };
                self.take_turns(name, times, &turns.collect_vec())?;
            }
        }
        Ok(())
    }

    fn replicas(&mut self) -> Result<()> {
        let mut turns: Vec<Turn> = vec![];
        for count in self.wanted("replicas", &[1, 2, 4]) {
            let task = self.task("own-locks", USUAL as usize)?;
            let deployment = Server::start(GORILLA, &Replica::program(), count as usize)?;
            turns.push((GORILLA, count, Box::new(move || deployment.take_turn(&task))));
        }
        self.take_turns("replicas", 1, &turns)
    }
}

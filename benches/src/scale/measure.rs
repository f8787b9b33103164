//! Measures Gorilla on this machine with one replica and more, on one Redis and on a Cluster, and counts what the
//! model needs: processor time, wake-ups and commands, for each request.

use std::{cell::RefCell, path::Path};

use anyhow::Result;
use gorilla_harness::{Cluster, Redis, Replica};

use crate::{
    load::block_on, machine, results::Contestant, results::Figures, results::GORILLA, results::Results,
    results::Sample, servers::Server, task::Task, workload,
};

use super::simulate::Setup;

/// The workload whose costs the model knows.
pub const OWN: &str = "own-locks";
/// The workload of one hot lock, and its number of clients.
pub const HOT: (&str, u64) = ("one-lock", 32);
/// Seconds before anything counts.
const WARM_UP: f64 = 0.3;

/// Replicas and masters of a Cluster, or one Redis, that are measured with so many clients.
pub struct Measured {
    pub name: &'static str,
    pub replicas: usize,
    /// The masters of a Cluster, if it is one.
    pub cluster: Option<usize>,
    pub clients: &'static [u64],
    /// Whether the costs are fitted to it. The model predicts the others.
    pub is_fitted: bool,
}

impl Measured {
    const fn on(name: &'static str, replicas: usize, cluster: Option<usize>) -> Self {
        Self { name, replicas, cluster, clients: &[16, 64, 256], is_fitted: false }
    }

    const fn fitted(self) -> Self {
        Self { clients: &[1, 4, 16, 64, 256], is_fitted: true, ..self }
    }

    /// What to simulate: the same on as many cores as this machine has.
    pub fn setup(&self, clients: u64, cores: usize) -> Setup {
        let (masters, cluster) = (self.cluster.unwrap_or(1), self.cluster.is_some());
        let (clients, cores) = (clients as usize, Some(cores));
        Setup { replicas: self.replicas, masters, cluster, clients, rest: 0.0, cores, round_trip: 0.0 }
    }
}

/// All that is measured, in the order of the tables.
pub const ALL: [Measured; 6] = [
    Measured::on("1 replica, one Redis", 1, None).fitted(),
    Measured::on("1 replica, Cluster of 1 master", 1, Some(1)).fitted(),
    Measured::on("2 replicas, one Redis", 2, None),
    Measured::on("4 replicas, one Redis", 4, None),
    Measured::on("1 replica, Cluster of 3 masters", 1, Some(3)),
    Measured::on("2 replicas, Cluster of 3 masters", 2, Some(3)),
];

/// Lets all take turns for so many rounds, and saves what was seen.
pub fn run(rounds: u32, seconds: f64, file: &Path) -> Result<()> {
    let mut results = Results { circumstances: machine::circumstances(), ..Results::default() };
    results.circumstances.insert("cores".into(), std::thread::available_parallelism()?.to_string());
    let mut deployments = vec![];
    for measured in &ALL {
        let (name, nodes) = match measured.cluster {
            None => (GORILLA, vec![Redis::start(&[])]),
            Some(masters) => ("gorilla-cluster", block_on(Cluster::of_masters(masters)).nodes),
        };
        deployments.push((measured, Server::start_on(nodes, name, &Replica::program(), measured.replicas)?));
        results.contestants.push(Contestant { name: measured.name.into(), what: String::new(), missing: None });
    }
    for round in 1..=rounds {
        for (measured, server) in &deployments {
            let hot = (measured.cluster.is_none() && measured.replicas < 3).then_some(HOT);
            let own = measured.clients.iter().map(|&clients| (OWN, clients));
            for (name, clients) in own.chain(hot) {
                let workload = workload::named(name)?;
                let task =
                    Task { workload, clients: clients as usize, warm_up: WARM_UP, measured: seconds, rate: None };
                let figures = counted(server, &task)?;
                eprintln!("{round}: {}, {name}, {clients} clients: {figures:.1?}", measured.name);
                let contestant = measured.name.into();
                results.samples.push(Sample { workload: name.into(), contestant, at: clients, round, figures });
            }
        }
        results.save(file)?;
    }
    Ok(())
}

/// Lets clients do a task, and counts the wake-ups and commands for each request beside the processor time.
fn counted(server: &Server, task: &Task) -> Result<Figures> {
    let [replicas, masters] = server.pids();
    let counts = || -> Result<[f64; 5]> {
        let wakes = |pids: &[u32]| pids.iter().map(|pid| machine::wakes_of(*pid)).sum::<Result<f64>>();
        let commands = server.nodes.iter().map(commands).sum();
        let others =
            machine::cpu_of_all()? - machine::cpu_of_thread()? - machine::cpu_of(&[&replicas[..], &masters].concat())?;
        Ok([machine::wakes_of(std::process::id())?, wakes(&replicas)?, wakes(&masters)?, commands, others])
    };
    let seen = RefCell::new(vec![]);
    let mut figures = server.take_watched_turn(task, &|| {
        seen.borrow_mut().push(counts()?);
        Ok(())
    })?;
    if let [before, after] = seen.borrow()[..] {
        let requests = figures["cycles_per_s"] * task.workload.cycle.len() as f64 * task.measured;
        for (number, name) in ["load_wakes", "replica_wakes", "redis_wakes", "commands"].into_iter().enumerate() {
            figures.insert(name.into(), (after[number] - before[number]) / requests);
        }
        figures.insert("others_cores".into(), ((after[4] - before[4]) / task.measured).max(0.0));
    }
    Ok(figures)
}

/// How many scripts a Redis has been asked to run so far.
fn commands(redis: &Redis) -> f64 {
    let said = redis.cli(&["INFO", "commandstats"]);
    let calls = said.lines().filter(|line| line.starts_with("cmdstat_eval"));
    calls.filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<f64>().ok()).sum()
}

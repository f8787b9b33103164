//! Measures contestants under workloads, in rounds.

use anyhow::{Result, ensure};
use gorilla_harness::{Redis, Replica};
use itertools::Itertools;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    bench::Bench, bench::Options, bench::Turn, contestant::Contestant, contestants, described::file, held, machine,
    results::Cell, results::Contestant as Listed, results::GORILLA, results::Results, servers::Server, waiters,
    workload, workload::Workload,
};

/// The number of clients if it does not vary.
const USUAL: u64 = 64;
/// The part of the rate that the slower of two contestants reaches, so that neither is overloaded.
const PACE: f64 = 0.6;

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
    workloads(&mut bench)?;
    replicas(&mut bench)?;
    held::measure(&mut bench)?;
    waiters::measure(&mut bench)?;
    ensure!(!bench.trouble, "some figures are missing, see above");
    Ok(())
}

/// Prepares the contestants that the options want, as far as they are there.
fn contestants(bench: &mut Bench, redis: &Redis) -> Vec<(&'static String, Contestant)> {
    let Options { contestants: wanted, other, .. } = &bench.options;
    let names = file().order.iter().filter(|name| wanted.is_empty() || wanted.contains(name));
    let mut ready = vec![];
    for name in names.filter(|name| *name != "gorilla-other" || other.is_some()) {
        let prepared = contestants::prepare(name, redis.port, other.as_deref());
        let missing = prepared.as_ref().err().map(|why| format!("{why:#}"));
        let what = prepared.as_ref().map_or(String::new(), |contestant| contestant.what.clone());
        eprintln!("{name}: {}", missing.as_ref().map_or(what.clone(), |why| format!("missing, {why}")));
        bench.results.contestants.push(Listed { name: name.into(), what, missing });
        ready.extend(prepared.ok().map(|contestant| (name, contestant)));
    }
    ready
}

fn workloads(bench: &mut Bench) -> Result<()> {
    let redis = Redis::start(&[]);
    let ready = contestants(bench, &redis);
    for Workload { name, clients, paced_by, contestants: who, .. } in workload::all() {
        for at in bench.wanted(name, clients) {
            let mut task = bench.task(name, at as usize)?;
            if let Some(contestant) = paced_by {
                let cell = Cell { workload: "own-locks", contestant, at: USUAL };
                let Some(reached) = bench.results.figure(cell, "cycles_per_s") else { continue };
                task.rate = Some((reached.median * PACE / 100.0).round() * 100.0);
            }
            let takes_part = |name: &str| who.iter().any(|one| one == name);
            let turns = ready.iter().filter(|(name, _)| takes_part(name) && at <= contestants::most_clients(name));
            let turns = turns.map(|(name, one)| -> Turn { (name, at, Box::new(|| (one.take_turn)(&task))) });
            bench.take_turns(name, &turns.collect_vec())?;
        }
    }
    Ok(())
}

fn replicas(bench: &mut Bench) -> Result<()> {
    let mut turns: Vec<Turn> = vec![];
    for count in bench.wanted("replicas", &[1, 2, 4]) {
        let task = bench.task("own-locks", USUAL as usize)?;
        let deployment = Server::start(GORILLA, &Replica::program(), count as usize)?;
        turns.push((GORILLA, count, Box::new(move || deployment.take_turn(&task))));
    }
    bench.take_turns("replicas", &turns)
}

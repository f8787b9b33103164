//! What one request costs a replica in instructions, held against `benches/budget.toml`.
//!
//! Time and CPU time vary by tens of percent on a machine that does other things, and a slow-down of some percent hides
//! in that. Instructions hardly vary, so a change that makes a request dearer is seen in its own review. What they don't
//! show is the kernel's part, and what waits for memory: for those there is `bench run`.

mod circumstances;
mod file;
mod kinds;
mod replica;
mod verdict;
mod wire;

use std::{collections::BTreeMap, env::consts::ARCH, io, path::Path};

use gorilla_harness::Redis;

use file::Budget;
use kinds::{Client, KINDS};
use replica::Replica;
use verdict::Verdict;

/// What is committed.
const FILE: &str = "benches/budget.toml";
/// Replicas that are measured, one after the other, for the median: some of what a request costs is settled by the first
/// moments of a process. With glibc's allocator figures differed by up to 1 % from one process to the next.
const ROUNDS: usize = 3;
/// Steps of a kind before those that count: connections, buffers and tables have then grown as far as they will.
const WARM_UP: usize = 200;
/// Steps of a kind that count.
const COUNTED: usize = 300;

/// Measures the program and holds it against the budget; or writes the budget anew.
pub fn run(program: &Path, write: bool) -> Result<(), String> {
    let path = Path::new(FILE);
    let made_with = circumstances::of(program).map_err(|error| error.to_string())?;
    let old = match Budget::load(path) {
        Err(error) if write && error.kind() == io::ErrorKind::NotFound => Budget::default(),
        old => old.map_err(|error| error.to_string())?,
    };
    if !write && !old.made_with.contains(ARCH) {
        return Err(format!(
            "{FILE} was made with {}; instructions of {ARCH} can't be compared with it",
            old.made_with
        ));
    }
    let measured = measure(program).map_err(|error| error.to_string())?;
    if write {
        // Tolerances are chosen by people, and stay.
        let budget = Budget { made_with, instructions: measured, ..old };
        budget.save(path).map_err(|error| format!("{FILE}: {error}"))?;
        println!("{FILE} was written. Say in the commit what its new figures pay for, or what saved them.");
        return Ok(());
    }
    let tolerance = old.tolerance_percent_for(&made_with);
    if made_with != old.made_with {
        println!("The budget was made with {}, and this is {made_with}.", old.made_with);
        println!("That alone changes figures: {tolerance} % are tolerated, not {} %.\n", old.tolerance_percent);
    }
    let verdict = Verdict::of(&old.instructions, &measured, tolerance);
    print!("{verdict}");
    verdict.advice().map_or(Ok(()), Err)
}

/// Instructions for each kind of request, the median of the rounds.
fn measure(program: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut rounds = BTreeMap::<_, Vec<u64>>::new();
    for _ in 0..ROUNDS {
        for (kind, instructions) in measure_once(program)? {
            rounds.entry(kind.to_string()).or_default().push(instructions);
        }
    }
    Ok(rounds.into_iter().map(|(kind, figures)| (kind, median(figures))).collect())
}

/// The same of one replica.
fn measure_once(program: &Path) -> io::Result<Vec<(&'static str, u64)>> {
    let redis = Redis::start(&[]);
    let replica = Replica::start(program, &redis.url())?;
    let mut client = Client::of(&replica.address, redis.port)?;
    let mut measured = vec![];
    for kind in &KINDS {
        for number in 0..WARM_UP {
            (kind.step)(&mut client, number)?;
        }
        replica.forget()?;
        for number in WARM_UP..WARM_UP + COUNTED {
            (kind.step)(&mut client, number)?;
        }
        measured.push((kind.name, replica.counted()? / COUNTED as u64));
    }
    Ok(measured)
}

fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_budget_has_the_kinds_that_are_measured() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml");
        let budget = Budget::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let mut measured = KINDS.map(|kind| kind.name);
        measured.sort_unstable();
        assert_eq!(budget.instructions.keys().collect::<Vec<_>>(), measured);
    }

    #[test]
    fn one_replica_that_differs_from_the_others_does_not_count() {
        assert_eq!(median(vec![1200, 1000, 1010]), 1010);
    }
}

//! The results, which are kept in a file between measuring and reporting, and the figures of several rounds together.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use itertools::Itertools;
use serde::{Deserialize, Serialize};

/// Figures by name. The unit is the end of the name: `cycles_per_s`, `p50_us`, `replica_cpu_us` (a request),
/// `load_busy_percent` (of a core) and so on; `report.toml` has them all.
pub type Figures = BTreeMap<String, f64>;

/// The figures that have a value.
pub fn figures<const N: usize>(figures: [(&str, Option<f64>); N]) -> Figures {
    figures.into_iter().filter_map(|(name, figure)| Some((name.to_string(), figure?))).collect()
}

/// The contestant with which tables and aims compare the others.
pub const GORILLA: &str = "gorilla";

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// What the figures depend on: `machine`, `kernel`, `date`, `commit`, `redis`, `rustc` and the like.
    pub circumstances: BTreeMap<String, String>,
    /// In the order of the tables.
    pub contestants: Vec<Contestant>,
    /// The measurements, in the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// A contestant: its name in the samples, for instance `webdis`; its version and what one cycle of it does; and if it
/// has no samples, why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contestant {
    pub name: String,
    pub what: String,
    pub missing: Option<String>,
}

/// One contestant under one workload, which is varied by `at` clients, held locks, waiters or replicas, for some
/// seconds. Samples of the same round, from 1, were taken right after each other, so their ratio means something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub workload: String,
    pub contestant: String,
    pub at: u64,
    pub round: u32,
    pub figures: Figures,
}

/// One contestant under one workload, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    pub workload: &'a str,
    pub contestant: &'a str,
    pub at: u64,
}

/// A figure over several rounds. The median is the value in the middle, or the mean of the two values in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
    pub rounds: usize,
}

impl Spread {
    /// The spread of these values, in any order. None if there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (rounds, middle) = (values.len(), values.len() / 2);
        let upper = *values.get(middle)?;
        let lower = if rounds.is_multiple_of(2) { values[middle - 1] } else { upper };
        Some(Self { min: values[0], median: (lower + upper) / 2.0, max: values[rounds - 1], rounds })
    }
}

impl Results {
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{}: `bench run` writes it", path.display()))?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, serde_json::to_vec_pretty(self)?).with_context(|| path.display().to_string())
    }

    pub fn figure(&self, cell: Cell, figure: &str) -> Option<Spread> {
        Spread::of(self.by_round(cell, figure).into_values())
    }

    /// A figure divided by the same figure of another cell, round by round. It is never a ratio of medians, because the
    /// other work of the machine changes from round to round, and burdens both sides of a round about equally.
    pub fn ratio(&self, figure: &str, of: Cell, to: Cell) -> Option<Spread> {
        let divisors = self.by_round(to, figure);
        let ratios =
            self.by_round(of, figure).into_iter().filter_map(|(round, value)| Some(value / divisors.get(&round)?));
        Spread::of(ratios.filter(|ratio| ratio.is_finite()))
    }

    /// A figure less the same figure of other cells, round by round.
    pub fn difference<'a>(&self, figure: &str, of: Cell, minus: impl IntoIterator<Item = Cell<'a>>) -> Option<Spread> {
        let less = |rounds: BTreeMap<u32, f64>, cell| {
            let others = self.by_round(cell, figure);
            rounds.into_iter().filter_map(|(round, value)| Some((round, value - others.get(&round)?))).collect()
        };
        Spread::of(minus.into_iter().fold(self.by_round(of, figure), less).into_values())
    }

    /// The contestants with samples of this workload, in the order of the list of contestants.
    pub fn contestants_of(&self, workload: &str) -> Vec<&str> {
        let listed = self.contestants.iter().map(|contestant| &*contestant.name);
        let have = self.of(workload).map(|sample| &*sample.contestant).unique().collect_vec();
        listed.filter(|name| have.contains(name)).chain(have.iter().copied()).unique().collect()
    }

    /// The sizes of this workload, ascending.
    pub fn ats(&self, workload: &str) -> Vec<u64> {
        self.of(workload).map(|sample| sample.at).sorted().dedup().collect()
    }

    pub fn of<'a>(&'a self, workload: &str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.workload == workload)
    }

    fn by_round(&self, cell: Cell, figure: &str) -> BTreeMap<u32, f64> {
        let samples =
            self.of(cell.workload).filter(|sample| (&*sample.contestant, sample.at) == (cell.contestant, cell.at));
        samples.filter_map(|sample| Some((sample.round, *sample.figures.get(figure)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(rounds: [&[(u32, f64)]; 2]) -> Option<Spread> {
        let mut results = Results::default();
        for (contestant, rounds) in ["gorilla", "webdis"].into_iter().zip(rounds) {
            results.samples.extend(rounds.iter().map(|&(round, value)| {
                let figures = figures([("cycles_per_s", Some(value))]);
                Sample { workload: "own-locks".into(), contestant: contestant.into(), at: 64, round, figures }
            }));
        }
        let [of, to] = ["gorilla", "webdis"].map(|contestant| Cell { workload: "own-locks", contestant, at: 64 });
        results.ratio("cycles_per_s", of, to)
    }

    #[test]
    fn ratios_are_those_of_rounds_and_not_of_medians() {
        // The machine was twice as slow in round 2 and three times in round 3, for both. The medians would have said
        // 1.32.
        let ratio = ratio([&[(1, 1200.0), (2, 660.0), (3, 390.0)], &[(1, 1000.0), (2, 500.0), (3, 300.0)]]);
        assert_eq!(ratio, Some(Spread { min: 1.2, median: 1.3, max: 1.32, rounds: 3 }));
    }

    #[test]
    fn differences_are_those_of_rounds() {
        let mut results = Results::default();
        for (contestant, values) in [("gorilla", [100.0, 300.0]), ("axum", [40.0, 200.0]), ("redis-ping", [30.0, 20.0])]
        {
            results.samples.extend(values.into_iter().zip(1..).map(|(value, round)| {
                let figures = figures([("p50_us", Some(value))]);
                Sample { workload: "round-trip".into(), contestant: contestant.into(), at: 1, round, figures }
            }));
        }
        let [of, axum, ping] =
            ["gorilla", "axum", "redis-ping"].map(|contestant| Cell { workload: "round-trip", contestant, at: 1 });
        let seen = results.difference("p50_us", of, [axum, ping]);
        assert_eq!(seen, Some(Spread { min: 30.0, median: 55.0, max: 80.0, rounds: 2 }));
        assert_eq!(results.difference("p50_us", of, [Cell { at: 64, ..axum }]), None);
    }

    #[test]
    fn a_round_that_only_one_side_has_is_no_pair_and_nothing_is_divided_by_zero() {
        let ratio = ratio([&[(1, 10.0), (2, 30.0), (4, 90.0)], &[(1, 0.0), (2, 10.0), (3, 10.0), (4, 10.0)]]);
        assert_eq!(ratio, Some(Spread { min: 3.0, median: 6.0, max: 9.0, rounds: 2 }));
    }
}

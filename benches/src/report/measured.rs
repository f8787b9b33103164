//! Finds figures among the samples, and pairs those of the same round.

use std::collections::BTreeMap;

use super::spread::Spread;
use crate::results::Results;

/// Whose figures tables and aims set beside those of the others.
pub const GORILLA: &str = "gorilla";

/// One contestant under one workload, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell<'a> {
    /// The workload.
    pub workload: &'a str,
    /// Who.
    pub contestant: &'a str,
    /// What the workload is varied by.
    pub at: u64,
}

/// What was measured, to be asked by cell.
pub struct Measured<'a> {
    /// All of it.
    pub results: &'a Results,
    /// The figures of each round of each cell.
    rounds: BTreeMap<Cell<'a>, BTreeMap<u32, &'a BTreeMap<String, f64>>>,
}

impl<'a> Measured<'a> {
    /// Sorts the samples into cells.
    pub fn new(results: &'a Results) -> Self {
        let mut rounds: BTreeMap<Cell, BTreeMap<u32, _>> = BTreeMap::new();
        for sample in &results.samples {
            let cell = Cell { workload: &sample.workload, contestant: &sample.contestant, at: sample.at };
            rounds.entry(cell).or_default().insert(sample.round, &sample.figures);
        }
        Self { results, rounds }
    }

    /// A figure over all rounds.
    pub fn figure(&self, cell: Cell, figure: &str) -> Option<Spread> {
        Spread::of(self.by_round(cell).filter_map(|(_, figures)| figures.get(figure).copied()))
    }

    /// A figure divided by the same of another cell, round by round. It is never a ratio of medians: whatever else the
    /// machine did changes from round to round, and burdens both sides of one round about equally.
    pub fn ratio(&self, figure: &str, of: Cell, to: Cell) -> Option<Spread> {
        let divisors: BTreeMap<u32, f64> =
            self.by_round(to).filter_map(|(round, figures)| Some((round, *figures.get(figure)?))).collect();
        let ratios =
            self.by_round(of).filter_map(|(round, figures)| Some(figures.get(figure)? / divisors.get(&round)?));
        Spread::of(ratios.filter(|ratio| ratio.is_finite()))
    }

    /// All workloads, in the order in which they were measured.
    pub fn workloads(&self) -> Vec<&'a str> {
        in_order(self.results.samples.iter().map(|sample| sample.workload.as_str()))
    }

    /// Whoever has samples of this workload, in the order of the list of contestants.
    pub fn contestants(&self, workload: &str) -> Vec<&'a str> {
        let listed = self.results.contestants.iter().map(|contestant| contestant.name.as_str());
        let seen = self.results.samples.iter().map(|sample| sample.contestant.as_str());
        let mut names = in_order(listed.chain(seen));
        names.retain(|name| self.cells(workload).any(|cell| cell.contestant == *name));
        names
    }

    /// What this workload was varied by, ascending.
    pub fn ats(&self, workload: &str) -> Vec<u64> {
        let mut ats: Vec<u64> = self.cells(workload).map(|cell| cell.at).collect();
        ats.sort_unstable();
        ats.dedup();
        ats
    }

    /// The names of all figures of this workload, in alphabetical order.
    pub fn figures(&self, workload: &str) -> Vec<&'a str> {
        let samples = self.results.samples.iter().filter(|sample| sample.workload == workload);
        let mut names: Vec<&str> = samples.flat_map(|sample| sample.figures.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Fewest and most rounds of a cell.
    pub fn rounds(&self) -> Option<(usize, usize)> {
        let counts = || self.rounds.values().map(BTreeMap::len);
        counts().min().zip(counts().max())
    }

    /// Why a contestant was not measured, where that was known before.
    pub fn missing(&self, name: &str) -> Option<&'a str> {
        let contestant = self.results.contestants.iter().find(|contestant| contestant.name == name)?;
        contestant.missing.as_deref()
    }

    fn cells(&self, workload: &str) -> impl Iterator<Item = Cell<'a>> {
        self.rounds.keys().copied().filter(move |cell| cell.workload == workload)
    }

    fn by_round<'b>(&'b self, cell: Cell<'b>) -> impl Iterator<Item = (u32, &'a BTreeMap<String, f64>)> + use<'a, 'b> {
        self.rounds.get(&cell).into_iter().flatten().map(|(&round, &figures)| (round, figures))
    }
}

/// Each name once, where it came first.
fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::Fixture;

    fn cell(contestant: &str) -> Cell<'_> {
        Cell { workload: "own-locks", contestant, at: 64 }
    }

    #[test]
    fn ratios_are_those_of_rounds_and_not_of_medians() {
        // The machine was twice as slow in round 2 and three times in round 3, for both.
        let mut fixture = Fixture::default();
        fixture.rounds("own-locks", "gorilla", 64, "cycles_per_s", &[(1, 1200.0), (2, 660.0), (3, 390.0)]);
        fixture.rounds("own-locks", "webdis", 64, "cycles_per_s", &[(1, 1000.0), (2, 500.0), (3, 300.0)]);
        let measured = Measured::new(&fixture.results);
        let ratio = measured.ratio("cycles_per_s", cell("gorilla"), cell("webdis"));
        assert_eq!(ratio, Some(Spread { min: 1.2, median: 1.3, max: 1.32, rounds: 3 }));
        // The medians would have said 1.32.
        let medians = ["gorilla", "webdis"].map(|name| measured.figure(cell(name), "cycles_per_s"));
        assert_eq!(medians.map(|spread| spread.map(|spread| spread.median)), [Some(660.0), Some(500.0)]);
    }

    #[test]
    fn a_round_that_only_one_side_has_is_no_pair() {
        let mut fixture = Fixture::default();
        fixture.rounds("own-locks", "gorilla", 64, "p99_us", &[(1, 10.0), (2, 30.0), (4, 90.0)]);
        fixture.rounds("own-locks", "webdis", 64, "p99_us", &[(2, 10.0), (3, 10.0), (4, 10.0)]);
        fixture.rounds("own-locks", "etcd", 64, "p99_us", &[(3, 10.0)]);
        let measured = Measured::new(&fixture.results);
        let ratio = measured.ratio("p99_us", cell("gorilla"), cell("webdis"));
        assert_eq!(ratio, Some(Spread { min: 3.0, median: 6.0, max: 9.0, rounds: 2 }));
        assert_eq!(measured.ratio("p99_us", cell("gorilla"), cell("etcd")), None);
        assert_eq!(measured.ratio("p50_us", cell("gorilla"), cell("webdis")), None);
    }

    #[test]
    fn nothing_is_divided_by_zero() {
        let mut fixture = Fixture::default();
        fixture.rounds("own-locks", "gorilla", 64, "idle_percent", &[(1, 0.0), (2, 1.0), (3, 4.0)]);
        fixture.rounds("own-locks", "webdis", 64, "idle_percent", &[(1, 0.0), (2, 0.0), (3, 2.0)]);
        let ratio = Measured::new(&fixture.results).ratio("idle_percent", cell("gorilla"), cell("webdis"));
        assert_eq!(ratio, Some(Spread { min: 2.0, median: 2.0, max: 2.0, rounds: 1 }));
    }
}

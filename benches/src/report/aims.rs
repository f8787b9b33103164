//! The aims, and whether they are met.

use super::{figures::Unit, figures::ratio, file::Aim, file::told, tables::row};
use crate::results::{Cell, Results, Spread};

fn cell((workload, contestant, at): &(String, String, u64)) -> Cell<'_> {
    Cell { workload, contestant, at: *at }
}

/// Whether an aim is about a workload with so many clients, locks, waiters or replicas.
pub fn are_about(workload: &str, at: u64) -> bool {
    let mut cells = told().aims.iter().flat_map(|aim| [&aim.of].into_iter().chain(&aim.to)).map(cell);
    cells.any(|cell| cell.workload == workload && cell.at == at)
}

/// The table of all aims.
pub fn table(results: &Results) -> String {
    let rows = told().aims.iter().map(|aim| {
        let (seen, result) = match aim.seen(results) {
            Some(spread) => (aim.say(spread), aim.result(spread)),
            None => ("–".into(), "**not measured**".into()),
        };
        row(&aim.what, [aim.wanted(), seen, result])
    });
    rows.fold("| what | aim | measured | result |\n|---|---|---|---|\n".into(), |table, row| table + &row)
}

impl Aim {
    fn seen(&self, results: &Results) -> Option<Spread> {
        match &self.to {
            Some(to) => results.ratio(&self.figure, cell(&self.of), cell(to)),
            None => results.figure(cell(&self.of), &self.figure),
        }
    }

    /// The measured value, with a digit more than elsewhere, so that a narrow miss does not look like a hit.
    fn say(&self, spread: Spread) -> String {
        if self.to.is_some() { ratio(spread, 4) } else { Unit::of(&self.figure).spread(spread) }
    }

    fn wanted(&self) -> String {
        let say = |limit| match self.to {
            Some(_) => format!("{limit}×"),
            None => Unit::of(&self.figure).say(limit),
        };
        let sign = |sign, limit: Option<f64>| limit.map(|limit| format!("{sign} {}", say(limit)));
        sign('≥', self.at_least).or(sign('≤', self.at_most)).unwrap_or_default()
    }

    fn result(&self, Spread { min, median, max, rounds }: Spread) -> String {
        let is_met = |value: f64| {
            self.at_least.is_none_or(|limit| value >= limit) && self.at_most.is_none_or(|limit| value <= limit)
        };
        let rounds = format!("{rounds} round{}", if rounds == 1 { "" } else { "s" });
        match (is_met(median), is_met(min) && is_met(max), is_met(min) || is_met(max)) {
            (true, true, _) => format!("met in each of {rounds}"),
            (true, false, _) => format!("met by the median of {rounds}, not in each"),
            (false, _, true) => format!("**not met** by the median of {rounds}, though in some"),
            (false, _, false) => format!("**not met** in any of {rounds}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_are_about_the_usual_number_of_clients() {
        assert!(are_about("own-locks", 64) && are_about("own-locks-paced", 64) && are_about("held-locks", 0));
        assert!(!are_about("own-locks", 16) && !are_about("own-locks-slow", 64) && !are_about("status", 64));
    }

    #[test]
    fn an_aim_is_met_by_the_median_and_the_rounds_that_miss_it_are_said() {
        let result = |aim: usize, rounds: [f64; 3]| told().aims[aim].result(Spread::of(rounds).expect("three rounds"));
        // At least 1.3.
        assert_eq!(result(0, [1.5, 1.3, 1.4]), "met in each of 3 rounds");
        assert_eq!(result(0, [1.5, 1.2, 1.4]), "met by the median of 3 rounds, not in each");
        assert_eq!(result(0, [1.5, 1.2, 1.1]), "**not met** by the median of 3 rounds, though in some");
        assert_eq!(result(0, [1.299; 3]), "**not met** in any of 3 rounds");
        // At most 1.1.
        assert_eq!(result(6, [1.2, 1.0, 1.1]), "met by the median of 3 rounds, not in each");
    }
}

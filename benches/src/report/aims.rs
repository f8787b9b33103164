//! The aims, and whether they are met.

use super::{file::Line, file::told, lines::Values, tables::row};
use crate::results::Spread;

/// Whether an aim compares a contestant with another under this workload, with so many clients.
pub fn compare(workload: &str, contestant: &str, at: u64) -> bool {
    let ratios = told().aims.iter().filter(|aim| aim.to.is_some());
    let mut places = ratios.flat_map(|aim| aim.of.iter().chain(&aim.to));
    places.any(|place| (&*place.0, &*place.1, place.2) == (workload, contestant, at))
}

/// The table of all aims.
pub fn table(values: &Values) -> String {
    let rows = told().aims.iter().map(|aim| {
        let (seen, result) = match values.of(aim) {
            Some(spread) => (aim.say(spread, 4), aim.result(spread)),
            None => ("–".into(), "**not measured**".into()),
        };
        row(&aim.what, [aim.wanted(), seen, result])
    });
    rows.fold("| what | aim | measured | result |\n|---|---|---|---|\n".into(), |table, row| table + &row)
}

impl Line {
    fn wanted(&self) -> String {
        let sign = |sign, limit: Option<f64>| limit.map(|limit| format!("{sign} {}", self.limit(limit)));
        sign('≥', self.at_least).or(sign('≤', self.at_most)).unwrap_or_default()
    }

    fn result(&self, Spread { min, median, max, rounds }: Spread) -> String {
        let is_met = |value: f64| {
            self.at_least.is_none_or(|limit| value >= limit) && self.at_most.is_none_or(|limit| value <= limit)
        };
        if !self.instructions.is_empty() {
            return if is_met(median) { "met" } else { "**not met**" }.into();
        }
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
    fn aims_compare_contestants_at_the_sizes_that_they_name() {
        assert!(compare("own-locks", "gorilla", 1024) && compare("own-locks", "webdis", 1024));
        assert!(compare("own-locks-paced", "webdis", 64) && compare("one-lock", "gorilla-2-replicas", 32));
        assert!(!compare("own-locks", "gorilla", 16) && !compare("own-locks", "etcd", 1024));
        // An aim without a ratio needs no more rounds.
        assert!(!compare("held-locks", "gorilla", 1_000_000));
    }

    #[test]
    fn an_aim_is_met_by_the_median_and_the_rounds_that_miss_it_are_said() {
        let result = |aim: &str, rounds: [f64; 3]| {
            let line: Line = toml::from_str(&format!("what = 'a figure'\n{aim}")).expect("a line");
            line.result(Spread::of(rounds).expect("three rounds"))
        };
        let at_least = "figure = 'p99_us'\nat_least = 1.3";
        assert_eq!(result(at_least, [1.5, 1.3, 1.4]), "met in each of 3 rounds");
        assert_eq!(result(at_least, [1.5, 1.2, 1.4]), "met by the median of 3 rounds, not in each");
        assert_eq!(result(at_least, [1.5, 1.2, 1.1]), "**not met** by the median of 3 rounds, though in some");
        assert_eq!(result(at_least, [1.299; 3]), "**not met** in any of 3 rounds");
        let at_most = "figure = 'p99_us'\nat_most = 1.1";
        assert_eq!(result(at_most, [1.2, 1.0, 1.1]), "met by the median of 3 rounds, not in each");
        let counted = "instructions = ['acquire']\nat_most = 50_000";
        assert_eq!([50_000.0, 50_001.0].map(|count| result(counted, [count; 3])), ["met", "**not met**"]);
    }
}

//! What was aimed at, and whether it was reached.

use super::{
    document::in_cell,
    measured::{Cell, GORILLA, Measured},
    numbers::{Unit, ratio},
    spread::Spread,
    words,
};

/// A limit that a figure, or its ratio to that of another cell, is held against.
struct Aim {
    what: &'static str,
    figure: &'static str,
    of: Cell<'static>,
    /// Whose figure divides; without one the limit is one of the figure itself.
    to: Option<Cell<'static>>,
    limit: Limit,
}

enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// Those of the issue that asked for this benchmark.
const AIMS: [Aim; 9] = [
    Aim {
        what: "acquire and release of own locks, 64 clients, against webdis with the same scripts",
        figure: "cycles_per_s",
        of: own_locks(GORILLA),
        to: Some(own_locks("webdis")),
        limit: Limit::AtLeast(1.3),
    },
    Aim {
        what: "the same against etcd's HTTP lock, each client with a lease that it keeps",
        figure: "cycles_per_s",
        of: own_locks(GORILLA),
        to: Some(own_locks("etcd")),
        limit: Limit::AtLeast(8.0),
    },
    Aim {
        what: "the same where each lock has a lease of its own, as Gorilla's have",
        figure: "cycles_per_s",
        of: own_locks(GORILLA),
        to: Some(own_locks("etcd-leases")),
        limit: Limit::AtLeast(8.0),
    },
    Aim {
        what: "the same against dflockd, which keeps locks in its own memory and speaks raw TCP",
        figure: "cycles_per_s",
        of: own_locks(GORILLA),
        to: Some(own_locks("dflockd")),
        limit: Limit::AtLeast(0.7),
    },
    Aim {
        what: "CPU of the replica a request, 64 clients, against the bare axum route",
        figure: "replica_cpu_us",
        of: own_locks(GORILLA),
        to: Some(own_locks("axum")),
        limit: Limit::AtMost(1.6),
    },
    Aim {
        what: "99th percentile of latency at a fixed rate, 64 clients, against webdis",
        figure: "p99_us",
        of: Cell { workload: "own-locks-paced", contestant: GORILLA, at: 64 },
        to: Some(Cell { workload: "own-locks-paced", contestant: "webdis", at: 64 }),
        limit: Limit::AtMost(1.0),
    },
    Aim {
        what: "median of an acquire with 1,000,000 locks held, against none held",
        figure: "p50_us",
        of: held(1_000_000),
        to: Some(held(0)),
        limit: Limit::AtMost(1.1),
    },
    Aim {
        what: "memory of Redis a held lock, 1,000,000 held",
        figure: "redis_bytes_per_lock_without_fence",
        of: held(1_000_000),
        to: None,
        limit: Limit::AtMost(400.0),
    },
    Aim {
        what: "the same with the fence, which is kept for 24 h after the last grant",
        figure: "redis_bytes_per_lock",
        of: held(1_000_000),
        to: None,
        limit: Limit::AtMost(400.0),
    },
];

const fn own_locks(contestant: &'static str) -> Cell<'static> {
    Cell { workload: "own-locks", contestant, at: 64 }
}

const fn held(at: u64) -> Cell<'static> {
    Cell { workload: "held-locks", contestant: GORILLA, at }
}

/// Whether an aim is about a workload that is varied by so much.
pub fn are_about(workload: &str, at: u64) -> bool {
    let mut cells = AIMS.iter().flat_map(|aim| [Some(aim.of), aim.to]).flatten();
    cells.any(|cell| cell.workload == workload && cell.at == at)
}

/// The table of all aims.
pub fn table(measured: &Measured) -> String {
    let mut text = String::from("| what | aim | measured | result |\n|---|---|---|---|\n");
    for aim in &AIMS {
        let (seen, result) = match aim.seen(measured) {
            Ok(spread) => (aim.say(spread), aim.limit.result(spread)),
            Err(why) => ("–".into(), format!("**not measured**: {why}")),
        };
        text += &format!("| {} | {} | {seen} | {result} |\n", aim.what, aim.wanted());
    }
    text
}

impl Aim {
    fn seen(&self, measured: &Measured) -> Result<Spread, String> {
        let spread = match self.to {
            Some(to) => measured.ratio(self.figure, self.of, to),
            None => measured.figure(self.of, self.figure),
        };
        spread.ok_or_else(|| {
            let cells = [Some(self.of), self.to];
            let absent = cells.into_iter().flatten().find(|cell| measured.figure(*cell, self.figure).is_none());
            match absent {
                None => "no round has both sides".into(),
                Some(cell) => match measured.missing(cell.contestant) {
                    Some(why) => format!("{} is missing, {}", cell.contestant, in_cell(why)),
                    None => format!(
                        "no sample of {} under {} at {} has {}",
                        cell.contestant,
                        cell.workload,
                        words::at(cell.workload, cell.at),
                        words::figure(self.figure).0
                    ),
                },
            }
        })
    }

    /// With a digit more than elsewhere, so that a narrow miss does not look like a hit.
    fn say(&self, spread: Spread) -> String {
        if self.to.is_some() { ratio(spread, 4) } else { Unit::of(self.figure).spread(spread) }
    }

    fn wanted(&self) -> String {
        let (sign, limit) = match self.limit {
            Limit::AtLeast(limit) => ('≥', limit),
            Limit::AtMost(limit) => ('≤', limit),
        };
        if self.to.is_some() {
            format!("{sign} {limit}×")
        } else {
            format!("{sign} {}", Unit::of(self.figure).say(limit))
        }
    }
}

impl Limit {
    fn result(&self, spread: Spread) -> String {
        let (best, median, worst) = match self {
            Self::AtLeast(limit) => (spread.max >= *limit, spread.median >= *limit, spread.min >= *limit),
            Self::AtMost(limit) => (spread.min <= *limit, spread.median <= *limit, spread.max <= *limit),
        };
        let rounds = format!("{} round{}", spread.rounds, if spread.rounds == 1 { "" } else { "s" });
        match (median, worst, best) {
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
    use crate::report::fixture::Fixture;

    fn row(fixture: &Fixture, part: &str) -> String {
        let table = table(&Measured::new(&fixture.results));
        table.lines().find(|line| line.contains(part)).expect("the aim has a row").into()
    }

    fn against_webdis(ratios: [f64; 3]) -> String {
        let mut fixture = Fixture::default();
        let rounds = [(1, ratios[0] * 1000.0), (2, ratios[1] * 1000.0), (3, ratios[2] * 1000.0)];
        fixture.rounds("own-locks", "gorilla", 64, "cycles_per_s", &rounds);
        fixture.rounds("own-locks", "webdis", 64, "cycles_per_s", &[(1, 1000.0), (2, 1000.0), (3, 1000.0)]);
        row(&fixture, "against webdis with")
    }

    #[test]
    fn aims_are_about_the_usual_number_of_clients() {
        assert!(are_about("own-locks", 64) && are_about("own-locks-paced", 64));
        assert!(!are_about("own-locks", 16) && !are_about("own-locks-slow", 64) && !are_about("status", 64));
    }

    #[test]
    fn an_aim_is_met_by_the_median_of_the_ratios_and_the_rounds_that_miss_it_are_said() {
        assert!(
            against_webdis([1.5, 1.3, 1.4]).ends_with("| ≥ 1.3× | 1.400× (1.300–1.500) | met in each of 3 rounds |")
        );
        assert!(against_webdis([1.5, 1.2, 1.4]).ends_with("| met by the median of 3 rounds, not in each |"));
        assert!(against_webdis([1.5, 1.2, 1.1]).ends_with("| **not met** by the median of 3 rounds, though in some |"));
        assert!(against_webdis([1.2, 1.2, 1.1]).ends_with("| **not met** in any of 3 rounds |"));
    }

    #[test]
    fn a_narrow_miss_does_not_look_like_a_hit() {
        assert!(against_webdis([1.299; 3]).ends_with("| 1.299× | **not met** in any of 3 rounds |"));
    }

    #[test]
    fn an_aim_that_asks_for_less_is_missed_by_more() {
        let mut fixture = Fixture::default();
        fixture.steady("held-locks", "gorilla", 0, &[("p50_us", 100.0)]);
        fixture.steady(
            "held-locks",
            "gorilla",
            1_000_000,
            &[("p50_us", 120.0), ("redis_bytes_per_lock_without_fence", 390.0)],
        );
        assert!(
            row(&fixture, "median of an acquire").ends_with("| ≤ 1.1× | 1.200× | **not met** in any of 3 rounds |")
        );
        assert!(row(&fixture, "memory of Redis").ends_with("| ≤ 400 B | 394 B (390–398) | met in each of 3 rounds |"));
    }

    #[test]
    fn an_aim_that_was_not_measured_says_why() {
        let mut fixture = Fixture::default();
        fixture.contestant("etcd", Some("no package has it"));
        fixture.steady("own-locks", "gorilla", 64, &[("cycles_per_s", 100.0)]);
        fixture.rounds("own-locks", "webdis", 64, "cycles_per_s", &[(4, 100.0)]);
        assert!(row(&fixture, "against webdis with").ends_with("| – | **not measured**: no round has both sides |"));
        assert!(row(&fixture, "etcd").ends_with("**not measured**: etcd is missing, no package has it |"));
        let dflockd = "**not measured**: no sample of dflockd under own-locks at 64 clients has cycles a second |";
        assert!(row(&fixture, "dflockd").ends_with(dflockd));
    }
}

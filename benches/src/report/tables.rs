//! The tables of one workload.

use super::{
    document::wrap,
    measured::{Cell, GORILLA, Measured},
    numbers::{Unit, ratio},
    words,
};

/// Of a core. From here on a load generator may be what limits the figures.
const BUSY_PERCENT: f64 = 80.0;
/// Of the offered rate. What achieves less has fallen behind, and its latencies grow with the length of the run.
const KEPT_UP: f64 = 0.98;

/// The tables of a workload, with notes on how to read them.
pub fn of(measured: &Measured, workload: &str) -> String {
    let contestants = measured.contestants(workload);
    let ats = measured.ats(workload);
    let mut figures = measured.figures(workload);
    words::sort_figures(&mut figures);
    let say_at = |at: u64| words::at(workload, at);
    let cell = |contestant, at| Cell { workload, contestant, at };
    let mut table;
    if let [contestant] = contestants[..] {
        // Nobody to be compared with: a table over what was varied, each beside the first.
        table = Table::new(contestant, ats.iter().copied().map(say_at));
        for figure in figures {
            let cells = ats
                .iter()
                .map(|&at| say(measured, figure, cell(contestant, at), cell(contestant, at), cell(contestant, ats[0])));
            table.row(words::figure(figure).0, cells);
        }
        if ats.len() > 1 {
            table.note(&format!("× is the figure divided by that at {} in the same round.", say_at(ats[0])));
        }
    } else if let [at] = ats[..] {
        table = Table::new(&say_at(at), figures.iter().map(|figure| words::figure(figure).0.into()));
        for contestant in contestants.iter().copied() {
            let cells = figures.iter().map(|figure| beside_gorilla(measured, figure, cell(contestant, at)));
            table.row(&name(contestant), cells);
        }
    } else {
        table = Table::default();
        for figure in figures {
            let title = words::figure(figure).0;
            table.append(Table::new(title, ats.iter().copied().map(say_at)));
            for contestant in contestants.iter().copied() {
                let seen = ats.iter().any(|&at| measured.figure(cell(contestant, at), figure).is_some());
                if seen {
                    let cells = ats.iter().map(|&at| beside_gorilla(measured, figure, cell(contestant, at)));
                    table.row(&name(contestant), cells);
                }
            }
        }
    }
    if contestants.len() > 1 && contestants.contains(&GORILLA) {
        table.note("× is Gorilla's figure divided by this contestant's in the same round.");
    }
    for note in [not_measured(measured, workload), fell_behind(measured, workload), busy(measured, workload)] {
        table.note(&note);
    }
    table.text()
}

fn beside_gorilla(measured: &Measured, figure: &str, cell: Cell) -> String {
    say(measured, figure, cell, Cell { contestant: GORILLA, ..cell }, cell)
}

/// A figure, and below it a ratio, if it has two sides.
fn say(measured: &Measured, figure: &str, cell: Cell, of: Cell, to: Cell) -> String {
    let Some(spread) = measured.figure(cell, figure) else { return "–".into() };
    let said = Unit::of(figure).spread(spread);
    let compared = words::figure(figure).1 && of != to;
    match measured.ratio(figure, of, to).filter(|_| compared) {
        Some(spread) => format!("{said}<br>{}", ratio(spread, 3)),
        None => said,
    }
}

fn name(contestant: &str) -> String {
    if contestant == GORILLA { format!("**{contestant}**") } else { contestant.into() }
}

fn not_measured(measured: &Measured, workload: &str) -> String {
    let cells = cells(measured, workload);
    let mut figures = measured.figures(workload).into_iter();
    let whole = figures.all(|figure| cells.iter().all(|cell| measured.figure(*cell, figure).is_some()));
    if whole { String::new() } else { "–: not measured, or this contestant has no such figure.".into() }
}

/// Who did not get through what was offered.
fn fell_behind(measured: &Measured, workload: &str) -> String {
    let behind = cells(measured, workload).into_iter().filter(|cell| {
        let [offered, done] = ["offered_per_s", "cycles_per_s"].map(|figure| measured.figure(*cell, figure));
        offered.zip(done).is_some_and(|(offered, done)| done.median < offered.median * KEPT_UP)
    });
    list("Did not get through what was offered, so that latency grew with the length of the run", behind)
}

/// Where the load generator may have been the limit.
fn busy(measured: &Measured, workload: &str) -> String {
    let busy = cells(measured, workload)
        .into_iter()
        .filter(|cell| measured.figure(*cell, "load_busy_percent").is_some_and(|busy| busy.median >= BUSY_PERCENT));
    list("The load generator was busy for 80 % of a core or more, and may have been the limit", busy)
}

fn list<'a>(what: &str, cells: impl Iterator<Item = Cell<'a>>) -> String {
    let mut by_contestant: Vec<(&str, Vec<String>)> = Vec::new();
    for cell in cells {
        let at = super::numbers::count(cell.at);
        match by_contestant.last_mut() {
            Some((name, ats)) if *name == cell.contestant => ats.push(at),
            _ => by_contestant.push((cell.contestant, vec![at])),
        }
    }
    if by_contestant.is_empty() {
        return String::new();
    }
    let places: Vec<_> = by_contestant.iter().map(|(name, ats)| format!("{name} at {}", ats.join(", "))).collect();
    format!("{what}: {}.", places.join("; "))
}

fn cells<'a>(measured: &Measured<'a>, workload: &'a str) -> Vec<Cell<'a>> {
    let ats = measured.ats(workload);
    let contestants = measured.contestants(workload).into_iter();
    contestants.flat_map(|contestant| ats.iter().map(move |&at| Cell { workload, contestant, at })).collect()
}

/// Tables in Markdown, and what stands below them.
#[derive(Default)]
struct Table {
    rows: String,
    notes: String,
}

impl Table {
    fn new(corner: &str, columns: impl Iterator<Item = String>) -> Self {
        let columns: Vec<_> = columns.collect();
        let rows = format!("| {corner} | {} |\n|---|{}\n", columns.join(" | "), "--:|".repeat(columns.len()));
        Self { rows, notes: String::new() }
    }

    fn row(&mut self, name: &str, cells: impl Iterator<Item = String>) {
        let cells: Vec<_> = cells.collect();
        self.rows += &format!("| {name} | {} |\n", cells.join(" | "));
    }

    fn append(&mut self, next: Self) {
        if !self.rows.is_empty() {
            self.rows += "\n";
        }
        self.rows += &next.rows;
    }

    fn note(&mut self, note: &str) {
        if !note.is_empty() {
            self.notes += &format!("{note} ");
        }
    }

    fn text(self) -> String {
        if self.notes.is_empty() { self.rows } else { self.rows + "\n" + &wrap(&self.notes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::Fixture;

    #[test]
    fn several_contestants_over_several_sizes_have_a_table_for_each_figure() {
        let mut fixture = Fixture::default();
        for (contestant, at, cycles) in [("gorilla", 1, 3000.0), ("gorilla", 64, 9000.0), ("webdis", 64, 6000.0)] {
            fixture.steady(
                "own-locks",
                contestant,
                at,
                &[("cycles_per_s", cycles), ("load_busy_percent", cycles / 100.0)],
            );
        }
        let expected = "\
| cycles a second | 1 client | 64 clients |
|---|--:|--:|
| **gorilla** | 3,030 (3,000–3,060) | 9,090 (9,000–9,180) |
| webdis | – | 6,060 (6,000–6,120)<br>1.50× |

| load generator busy, of a core | 1 client | 64 clients |
|---|--:|--:|
| **gorilla** | 30.3 % (30.0–30.6) | 90.9 % (90.0–91.8) |
| webdis | – | 60.6 % (60.0–61.2) |

× is Gorilla's figure divided by this contestant's in the same round. –: not measured, or this contestant has no such figure. The load
generator was busy for 80 % of a core or more, and may have been the limit: gorilla at 64.
";
        assert_eq!(of(&Measured::new(&fixture.results), "own-locks"), expected);
    }

    #[test]
    fn several_contestants_at_one_size_have_one_table_of_all_figures() {
        let mut fixture = Fixture::default();
        let figures = |done: f64| [("offered_per_s", 1000.0), ("cycles_per_s", done), ("p99_us", done / 2.0)];
        fixture.steady("own-locks-paced", "etcd", 64, &figures(700.0));
        fixture.steady("own-locks-paced", "gorilla", 64, &figures(1000.0));
        let expected = "\
| 64 clients | offered a second | cycles a second | 99th percentile of latency |
|---|--:|--:|--:|
| etcd | 1,010 (1,000–1,020) | 707 (700–714)<br>1.43× | 354 µs (350–357)<br>1.43× |
| **gorilla** | 1,010 (1,000–1,020) | 1,010 (1,000–1,020) | 505 µs (500–510) |

× is Gorilla's figure divided by this contestant's in the same round. Did not get through what was offered, so that latency grew with the
length of the run: etcd at 64.
";
        assert_eq!(of(&Measured::new(&fixture.results), "own-locks-paced"), expected);
    }

    #[test]
    fn an_only_contestant_is_set_beside_its_smallest_size_also_under_an_unknown_workload() {
        let mut fixture = Fixture::default();
        fixture.steady("renamed", "gorilla", 10, &[("p50_us", 100.0), ("novelty", 5.0)]);
        fixture.steady("renamed", "gorilla", 2_000, &[("p50_us", 150.0)]);
        let expected = "\
| gorilla | 10 | 2,000 |
|---|--:|--:|
| median latency | 101 µs (100–102) | 152 µs (150–153)<br>1.50× |
| novelty | 5.05 (5.00–5.10) | – |

× is the figure divided by that at 10 in the same round. –: not measured, or this contestant has no such figure.
";
        assert_eq!(of(&Measured::new(&fixture.results), "renamed"), expected);
    }
}

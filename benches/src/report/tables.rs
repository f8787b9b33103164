//! The tables.

use itertools::Itertools;

use super::{document::in_cell, document::wrapped, figures, figures::Unit, figures::ratio, file::told};
use crate::results::{Cell, GORILLA, Results};

/// The section that tells of Gorilla alone how it grows with clients.
pub const CLIENTS: &str = "clients";
/// The part of a core from which on the load generator may limit the figures.
const BUSY_PERCENT: f64 = 80.0;
/// The part of the offered rate that a contestant must reach. If it falls behind, its latencies grow with the length of
/// the run.
const KEPT_UP: f64 = 0.98;

/// A row of a table in Markdown.
pub fn row(name: &str, cells: impl IntoIterator<Item = String>) -> String {
    cells.into_iter().fold(format!("| {name} |"), |row, cell| format!("{row} {cell} |")) + "\n"
}

/// A table of figures, which are aligned to the right.
fn table(corner: &str, columns: impl ExactSizeIterator<Item = String>, rows: impl Iterator<Item = String>) -> String {
    let line = format!("|---|{}\n", "--:|".repeat(columns.len()));
    row(corner, columns) + &line + &rows.collect::<String>()
}

/// What the figures depend on.
pub fn circumstances(results: &Results) -> String {
    let place = |name: &str| told().circumstances.iter().position(|known| known[0] == name).unwrap_or(usize::MAX);
    let all = results.circumstances.iter().sorted_by_key(|(name, _)| place(name));
    let rows = all.map(|(name, value)| row(&in_cell(name), [in_cell(value)]));
    rows.fold("| what | which |\n|---|---|\n".into(), |table, row| table + &row)
}

/// The table of contestants, with the reason if one is missing.
pub fn contestants(results: &Results) -> String {
    let rows = results.contestants.iter().map(|contestant| {
        let missing = contestant.missing.as_ref().map(|why| format!("<br>**Missing**: {}", in_cell(why)));
        row(&in_cell(&contestant.name), [in_cell(&contestant.what) + &missing.unwrap_or_default()])
    });
    rows.fold("| contestant | version, and what one cycle of it does |\n|---|---|\n".into(), |table, row| table + &row)
}

/// The tables of a section, with notes on how to read them. The section is that of a workload, or tells of Gorilla alone
/// how its own locks grow with clients.
pub fn of(results: &Results, section: &str) -> String {
    let (workload, is_alone) = if section == CLIENTS { ("own-locks", true) } else { (section, false) };
    let (mut contestants, ats) = (results.contestants_of(workload), results.ats(workload));
    contestants.retain(|name| !is_alone || *name == GORILLA);
    let figures = results.of(workload).filter(|sample| contestants.contains(&&*sample.contestant));
    let figures = figures.flat_map(|sample| sample.figures.keys().map(String::as_str));
    let figures = figures
        .filter(|figure| figures::is_shown(section, figure))
        .unique()
        .sorted_by_key(|figure| (figures::place(figure), *figure))
        .collect_vec();
    let at = |&at: &u64| figures::at(workload, at);
    let title = |figure: &&str| figures::heading(figure).0.to_string();
    let cells = |contestant| ats.iter().map(move |&at| Cell { workload, contestant, at });
    let beside = |cell: Cell, figure: &str| say(results, figure, cell, Cell { contestant: GORILLA, ..cell }, cell);
    let mut notes = Vec::new();
    let tables = match (&contestants[..], &ats[..]) {
        ([], _) => return "Not measured.\n".into(),
        // Only one contestant: a table over its sizes, which compares each size with the first.
        (&[only], [first, others @ ..]) => {
            if !others.is_empty() {
                notes.push(format!("× is the figure divided by that at {} in the same round.", at(first)));
            }
            let first = Cell { workload, contestant: only, at: *first };
            let of =
                |figure: &&str| row(&title(figure), cells(only).map(|cell| say(results, figure, cell, cell, first)));
            vec![table(only, ats.iter().map(at), figures.iter().map(of))]
        }
        (all, [only]) => {
            let of = |cell: Cell| row(&bold(cell.contestant), figures.iter().map(|figure| beside(cell, figure)));
            vec![table(&at(only), figures.iter().map(title), all.iter().flat_map(|name| cells(name)).map(of))]
        }
        // A table for each figure, with the contestants that have it.
        (all, _) => {
            let of = |figure: &&str| {
                let have = all.iter().filter(|name| cells(name).any(|cell| results.figure(cell, figure).is_some()));
                let rows = have.map(|name| row(&bold(name), cells(name).map(|cell| beside(cell, figure))));
                table(&title(figure), ats.iter().map(at), rows)
            };
            figures.iter().map(of).collect()
        }
    };
    if contestants.len() > 1 && contestants.contains(&GORILLA) {
        notes.push("× is Gorilla's figure divided by this contestant's in the same round.".into());
    }
    let all: Vec<_> = contestants.iter().flat_map(|name| cells(name)).collect();
    if all.iter().any(|cell| figures.iter().any(|figure| results.figure(*cell, figure).is_none())) {
        notes.push("–: not measured, or this contestant has no such figure.".into());
    }
    let median = |cell: Cell, figure| results.figure(cell, figure).map(|spread| spread.median);
    let behind = |cell: Cell| {
        let offered = median(cell, "offered_per_s").zip(median(cell, "cycles_per_s"));
        offered.is_some_and(|(offered, done)| done < offered * KEPT_UP)
    };
    let busy = |cell: Cell| median(cell, "load_busy_percent").is_some_and(|busy| busy >= BUSY_PERCENT);
    let behind_told = "Did not get through what was offered, so that latency grew with the length of the run";
    let busy_told = "The load generator was busy for 80 % of a core or more, and may have been the limit";
    notes.extend(list(behind_told, &all, behind).into_iter().chain(list(busy_told, &all, busy)));
    let notes = if notes.is_empty() { String::new() } else { format!("\n{}", wrapped(&notes.join(" "))) };
    tables.join("\n") + &notes
}

/// A figure and, below it, its ratio to another cell, if there are figures of both.
fn say(results: &Results, figure: &str, cell: Cell, of: Cell, to: Cell) -> String {
    let Some(spread) = results.figure(cell, figure) else { return "–".into() };
    let compared = figures::heading(figure).1 && of != to;
    let ratio = results.ratio(figure, of, to).filter(|_| compared).map(|spread| format!("<br>{}", ratio(spread, 3)));
    Unit::of(figure).spread(spread) + &ratio.unwrap_or_default()
}

fn bold(contestant: &str) -> String {
    if contestant == GORILLA { format!("**{contestant}**") } else { contestant.into() }
}

/// Names the cells for which `holds` is true, those of a contestant together.
fn list(what: &str, cells: &[Cell], holds: impl Fn(Cell) -> bool) -> Option<String> {
    let found = cells.iter().filter(|cell| holds(**cell)).chunk_by(|cell| cell.contestant);
    let mut places = found
        .into_iter()
        .map(|(contestant, cells)| format!("{contestant} at {}", cells.map(|cell| figures::count(cell.at)).join(", ")));
    Some(format!("{what}: {}.", places.join("; "))).filter(|said| !said.ends_with(": ."))
}

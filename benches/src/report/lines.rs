//! The lines of costs and aims: where their values come from, and how people read them.

use std::collections::BTreeMap;

use super::{figures, figures::Unit, figures::ratio, file::Line, file::Place, file::told, tables::row};
use crate::results::{Cell, Results, Spread};

/// What lines take their values from.
pub struct Values<'a> {
    pub results: &'a Results,
    /// The instructions of benches/budget.toml, by kind.
    pub instructions: &'a BTreeMap<String, u64>,
}

impl Values<'_> {
    /// The value of a line. None if it was not measured.
    pub fn of(&self, line: &Line) -> Option<Spread> {
        if !line.instructions.is_empty() {
            let kinds = line.instructions.iter().map(|kind| self.instructions.get(kind).map(|count| *count as f64));
            let sum: Option<f64> = kinds.sum();
            return Spread::of([sum? / line.instructions.len() as f64]);
        }
        let of = cell(line.of.as_ref()?);
        match &line.to {
            Some(to) => self.results.ratio(&line.figure, of, cell(to)),
            None => self.results.difference(&line.figure, of, line.minus.iter().map(cell)),
        }
    }
}

fn cell((workload, contestant, at): &Place) -> Cell<'_> {
    Cell { workload, contestant, at: *at }
}

/// The table of what a lock costs.
pub fn costs(values: &Values) -> String {
    let said = |line: &Line| values.of(line).map_or("–".into(), |spread| line.say(spread, 3));
    let rows = told().costs.iter().map(|line| row(&line.what, [said(line)]));
    rows.fold("| what | measured |\n|---|--:|\n".into(), |table, row| table + &row)
}

impl Line {
    /// The value with its unit, a ratio with so many digits.
    pub fn say(&self, spread: Spread, significant: usize) -> String {
        match self.to {
            _ if !self.instructions.is_empty() => figures::count(spread.median.round() as u64),
            Some(_) => ratio(spread, significant),
            None => Unit::of(&self.figure).spread(spread),
        }
    }

    /// A limit with its unit.
    pub fn limit(&self, limit: f64) -> String {
        match self.to {
            _ if !self.instructions.is_empty() => figures::count(limit as u64),
            Some(_) => format!("{limit}×"),
            None => Unit::of(&self.figure).tick(limit, limit),
        }
    }
}

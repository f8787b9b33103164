//! The table of a campaign: what was done in each cell, and what broke.

use std::{collections::BTreeMap, fmt::Write};

use crate::{cell::Cell, check::Property, history::SECOND, run::Outcome};

/// Figures of all runs of a cell.
#[derive(Clone, Debug, Default)]
struct Row {
    runs: u64,
    grants: u64,
    injections: u64,
    violations: BTreeMap<Property, u64>,
    lost_unfenced: u64,
    /// The longest time without a grant, in nanoseconds.
    longest_gap: u64,
    internal_errors: u64,
    /// Events that listeners were told, and how often that events are missing.
    heard: (u64, u64),
}

/// A campaign as it goes on.
#[derive(Default)]
pub struct Table {
    rows: Vec<(Cell, Row)>,
}

impl Table {
    /// Takes the figures of a run.
    pub fn add(&mut self, outcome: &Outcome) {
        let position = self.rows.iter().position(|(cell, _)| *cell == outcome.cell).unwrap_or_else(|| {
            self.rows.push((outcome.cell, Row::default()));
            self.rows.len() - 1
        });
        let row = &mut self.rows[position].1;
        row.runs += 1;
        row.grants += outcome.sum.grants;
        row.injections += outcome.injections;
        row.lost_unfenced += outcome.lost_unfenced;
        row.longest_gap = row.longest_gap.max(outcome.sum.longest_gap);
        row.internal_errors += outcome.internal_errors();
        let (events, missed) = outcome.heard();
        row.heard = (row.heard.0 + events, row.heard.1 + missed);
        for violation in &outcome.violations {
            *row.violations.entry(violation.property()).or_default() += 1;
        }
    }

    /// The table in Markdown, in the order of all cells. In brackets stands what may break in a cell.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| where/fault | runs | grants | injections | 1 exclusion | 1 early ends | 2 fencing | 2 floors | 3 stale tokens | 4 orphans | 5 retries | order | idle | limits | 8 sets | batches | leaders | events | told / missed | lost updates, fenced / not | longest without a grant |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        let mut total = Row::default();
        for cell in Cell::all() {
            let Some((_, row)) = self.rows.iter().find(|(of, _)| *of == cell) else { continue };
            total.runs += row.runs;
            total.grants += row.grants;
            total.injections += row.injections;
            total.heard = (total.heard.0 + row.heard.0, total.heard.1 + row.heard.1);
            let count = |property| {
                let count = row.violations.get(&property).copied().unwrap_or(0);
                if cell.may_break().contains(&property) { format!("[{count}]") } else { count.to_string() }
            };
            let [
                exclusion,
                standing,
                fencing,
                floors,
                stale,
                register,
                orphans,
                order,
                idle,
                limits,
                retries,
                sets,
                batches,
                leaders,
                events,
            ] = Property::ALL.map(count);
            let gap = row.longest_gap as f64 / SECOND as f64;
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "| `{cell}` | {} | {} | {} | {exclusion} | {standing} | {fencing} | {floors} | {stale} | {orphans} | {retries} | {order} | {idle} | {limits} | {sets} | {batches} | {leaders} | {events} | {} / {} | {register} / {} | {gap:.1} s |",
                row.runs, row.grants, row.injections, row.heard.0, row.heard.1, row.lost_unfenced
            );
        }
        let _ = writeln!(
            text,
            "| all | {} | {} | {} | | | | | | | | | | | | | | | {} / {} | | |",
            total.runs, total.grants, total.injections, total.heard.0, total.heard.1
        );
        text
    }
}

//! The committed budget, `benches/budget.toml`. Compares measurements with it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use itertools::Itertools;
use serde::{Deserialize, Serialize};

use crate::results::Spread;

/// What requests may cost, and by how much they may differ.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What the figures depend on, beside the source.
    pub made_with: String,
    /// By how much figures may differ if `made_with` is the same.
    pub tolerance_percent: f64,
    /// By how much figures may differ if `made_with` is different. Wide enough for another compiler, but too narrow for
    /// a mistake that doubles a cost.
    pub tolerance_percent_elsewhere: f64,
    pub instructions: BTreeMap<String, u64>,
}

impl Budget {
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes new figures into the file. Keeps the comments at its top, and the tolerances.
    pub fn save(mut self, path: &Path, made_with: String, measured: &BTreeMap<String, Spread>) -> Result<()> {
        let comments = fs::read_to_string(path)?.lines().take_while(|line| line.starts_with('#')).join("\n");
        self.instructions = measured.iter().map(|(kind, seen)| (kind.clone(), seen.median as u64)).collect();
        self.made_with = made_with;
        fs::write(path, format!("{comments}\n\n{}", toml::to_string(&self)?))?;
        Ok(())
    }

    /// A line for each kind, and whether the budget is kept. If a request became cheaper, the budget is not kept
    /// either: otherwise a later change could cost as much as this change saved, and no review would show it.
    pub fn compared(&self, made_with: &str, measured: &BTreeMap<String, Spread>) -> (String, bool) {
        let is_same = made_with == self.made_with;
        let tolerance = if is_same { self.tolerance_percent } else { self.tolerance_percent_elsewhere };
        let (mut lines, mut is_kept) = (String::new(), true);
        for kind in self.instructions.keys().chain(measured.keys()).sorted().dedup() {
            let (budget, seen) = (self.instructions.get(kind).map(|budget| *budget as f64), measured.get(kind));
            let percent = |value| budget.map_or(0.0, |budget| (value - budget) * 100.0 / budget);
            let Spread { min, median, max, .. } = seen.copied().unwrap_or_default();
            let verdict = match (seen, budget) {
                (None, _) => ": it is NOT MEASURED any more",
                (_, None) => ": the budget DOESN'T HAVE this kind",
                _ if percent(median) > tolerance => ": DEARER by more than is tolerated",
                _ if percent(median) < -tolerance => {
                    ": CHEAPER by more than is tolerated: a later loss would be hidden"
                }
                _ => "",
            };
            is_kept &= verdict.is_empty();
            let [min, seen, max] = [min, median, max].map(|value| format!("{:+.2}", percent(value)));
            let figures = format!("{median:>8.0} instructions, budget {:>8}", budget.unwrap_or_default());
            lines += &format!("{kind:<39} {figures}, {seen} % ({min} to {max}) of {tolerance} %{verdict}\n");
        }
        (lines, is_kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(made_with: &str, measured: &[(&str, f64)]) -> (String, bool) {
        let budget: Budget = toml::from_str(
            "made_with = 'rustc 1.95.0'\ntolerance_percent = 4.0\ntolerance_percent_elsewhere = 12.5\n\
             instructions = { acquire = 100_000, release = 60_000 }",
        )
        .expect("a budget");
        let of = |&(kind, seen): &(&str, f64)| Some((kind.to_string(), Spread::of([seen])?));
        budget.compared(made_with, &measured.iter().filter_map(of).collect())
    }

    #[test]
    fn what_differs_by_more_than_the_tolerance_in_either_direction_is_not_kept_and_the_tolerance_is_wider_elsewhere() {
        for (made_with, acquire, verdict) in [
            ("rustc 1.95.0", 104_000.0, " of 4 %\n"),
            ("rustc 1.95.0", 96_000.0, " of 4 %\n"),
            ("rustc 1.95.0", 104_100.0, " of 4 %: DEARER"),
            ("rustc 1.95.0", 95_900.0, " of 4 %: CHEAPER"),
            ("rustc 1.96.0", 112_500.0, " of 12.5 %\n"),
            ("rustc 1.96.0", 112_600.0, " of 12.5 %: DEARER"),
        ] {
            let (lines, is_kept) = compared(made_with, &[("acquire", acquire), ("release", 60_000.0)]);
            assert!(lines.contains(verdict) && is_kept == verdict.ends_with('\n'), "{acquire}, {made_with}: {lines}");
        }
    }

    #[test]
    fn a_kind_that_only_one_side_has_is_never_passed_over() {
        let (lines, is_kept) = compared("rustc 1.95.0", &[("acquire", 100_000.0), ("extend", 5.0)]);
        assert!(!is_kept && lines.contains("DOESN'T HAVE") && lines.contains("NOT MEASURED"), "{lines}");
    }

    #[test]
    fn other_figures_are_written_below_the_comments_and_tolerances_stay() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let committed = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/budget.toml")).expect("the budget");
        fs::write(file.path(), &committed).expect("a file");
        let budget = Budget::load(file.path()).expect("a budget");
        let same =
            budget.instructions.iter().filter_map(|(kind, &seen)| Some((kind.clone(), Spread::of([seen as f64])?)));
        let (same, made_with) = (same.collect(), budget.made_with.clone());
        budget.save(file.path(), made_with, &same).expect("it is written");
        assert_eq!(fs::read_to_string(file.path()).expect("the budget"), committed);
    }
}

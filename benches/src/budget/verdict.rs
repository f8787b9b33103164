//! Whether what was measured is within the budget.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::FILE;

/// One line for each kind.
pub struct Verdict {
    lines: Vec<(String, Finding)>,
    tolerance_percent: f64,
}

#[derive(Debug, PartialEq)]
enum Finding {
    Within {
        budget: u64,
        measured: u64,
    },
    Over {
        budget: u64,
        measured: u64,
    },
    /// A failure too: what was saved could be lost again later, up to the old budget, and no review would show it.
    Under {
        budget: u64,
        measured: u64,
    },
    /// Measured, and not in the budget.
    Unbudgeted {
        measured: u64,
    },
    /// In the budget, and not measured.
    Unmeasured {
        budget: u64,
    },
}

impl Verdict {
    /// Compares by kinds. The tolerance is of the budget's figure, in either direction.
    pub fn of(budget: &BTreeMap<String, u64>, measured: &BTreeMap<String, u64>, tolerance_percent: f64) -> Self {
        let kinds: BTreeSet<_> = budget.keys().chain(measured.keys()).collect();
        let finding = |kind: &String| match (budget.get(kind).copied(), measured.get(kind).copied()) {
            (Some(budget), Some(measured)) => match percent(budget, measured) {
                difference if difference > tolerance_percent => Finding::Over { budget, measured },
                difference if difference < -tolerance_percent => Finding::Under { budget, measured },
                _ => Finding::Within { budget, measured },
            },
            (Some(budget), None) => Finding::Unmeasured { budget },
            (None, measured) => Finding::Unbudgeted { measured: measured.unwrap_or_default() },
        };
        Self { lines: kinds.into_iter().map(|kind| (kind.clone(), finding(kind))).collect(), tolerance_percent }
    }

    /// What to do, where the budget isn't kept.
    pub fn advice(&self) -> Option<String> {
        if self.lines.iter().all(|(_, finding)| matches!(finding, Finding::Within { .. })) {
            return None;
        }
        let tolerance = self.tolerance_percent;
        Some(format!(
            "{FILE} isn't kept, give or take {tolerance} %. Where a change is worth what it costs, or saves something, run \
             `make budget ARGS=--write` and say in the commit what the instructions pay for, or what saved them. Where it \
             isn't, callgrind_annotate shows where they go"
        ))
    }
}

/// By how much the measured figure differs from the budget's.
fn percent(budget: u64, measured: u64) -> f64 {
    (measured as f64 - budget as f64) * 100.0 / budget as f64
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let tolerance = self.tolerance_percent;
        for (kind, finding) in &self.lines {
            write!(f, "{kind:<18}")?;
            match *finding {
                Finding::Within { budget, measured } => {
                    writeln!(
                        f,
                        " {measured:>8} instructions, budget {budget:>8}, {:+.2} %",
                        percent(budget, measured)
                    )?;
                }
                Finding::Over { budget, measured } => writeln!(
                    f,
                    " {measured:>8} instructions, budget {budget:>8}, {:+.2} %: DEARER by more than the tolerated {tolerance} %",
                    percent(budget, measured)
                )?,
                Finding::Under { budget, measured } => writeln!(
                    f,
                    " {measured:>8} instructions, budget {budget:>8}, {:+.2} %: CHEAPER by more than the tolerated {tolerance} %, \
                     so the budget would hide a later loss",
                    percent(budget, measured)
                )?,
                Finding::Unbudgeted { measured } => {
                    writeln!(f, " {measured:>8} instructions, but the budget DOESN'T HAVE this kind")?;
                }
                Finding::Unmeasured { budget } => {
                    writeln!(f, " is in the budget with {budget}, but is NOT MEASURED any more")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[(&str, u64)]) -> BTreeMap<String, u64> {
        figures.iter().map(|&(kind, figure)| (kind.into(), figure)).collect()
    }

    fn of(budget: &[(&str, u64)], measured: &[(&str, u64)]) -> Verdict {
        Verdict::of(&figures(budget), &figures(measured), 3.0)
    }

    #[test]
    fn what_differs_by_the_tolerance_or_less_is_within() {
        for measured in [97_000, 100_000, 103_000] {
            let verdict = of(&[("acquire", 100_000)], &[("acquire", measured)]);
            assert_eq!(verdict.advice(), None, "{verdict}");
        }
    }

    #[test]
    fn a_kind_that_became_dearer_is_named_with_both_figures_and_what_to_do() {
        let verdict = of(&[("acquire", 100_000), ("release", 50_000)], &[("acquire", 103_100), ("release", 50_000)]);
        let (text, advice) = (verdict.to_string(), verdict.advice().unwrap_or_default());
        let line = text.lines().find(|line| line.contains("DEARER")).unwrap_or_else(|| panic!("{text}"));
        for part in ["acquire", "103100", "100000", "+3.10 %"] {
            assert!(line.contains(part), "{part} is in {line}");
        }
        assert!(advice.contains("make budget ARGS=--write"), "{advice}");
    }

    #[test]
    fn a_kind_that_became_cheaper_asks_for_a_tighter_budget() {
        let verdict = of(&[("acquire", 100_000)], &[("acquire", 96_900)]);
        assert!(verdict.advice().is_some());
        assert!(verdict.to_string().contains("-3.10 %: CHEAPER"), "{verdict}");
    }

    #[test]
    fn a_kind_that_only_one_side_has_is_never_passed_over() {
        let unbudgeted = of(&[], &[("acquire", 100_000)]);
        assert_eq!(unbudgeted.lines[0].1, Finding::Unbudgeted { measured: 100_000 });
        let unmeasured = of(&[("acquire", 100_000)], &[]);
        assert_eq!(unmeasured.lines[0].1, Finding::Unmeasured { budget: 100_000 });
        assert!(unbudgeted.advice().is_some() && unmeasured.advice().is_some());
    }
}

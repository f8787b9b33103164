//! The committed budget: `benches/budget.toml`.

use std::{collections::BTreeMap, fmt::Write, fs, io, path::Path};

use serde::Deserialize;

const HEAD: &str = "\
# What one request of each kind may cost a replica, in instructions outside of the kernel, all threads together, as
# callgrind counts them. `make budget` measures the release build and fails where it differs by more than the tolerance,
# in either direction. After a change that is meant, `make budget ARGS=--write` writes this file anew; the commit says why.
# benches/src/budget/kinds.rs says what each kind is.
";

/// What requests may cost, and how exactly that is meant.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What the figures depend on, beside the source.
    pub made_with: String,
    /// By how much a figure may differ where that is the same.
    pub tolerance_percent: f64,
    /// By how much where it is not. Wide enough for another compiler, and still
    /// too narrow for a mistake that doubles a cost.
    pub tolerance_percent_elsewhere: f64,
    /// Of one request, by its kind.
    pub instructions: BTreeMap<String, u64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            made_with: String::new(),
            tolerance_percent: 3.0,
            tolerance_percent_elsewhere: 10.0,
            instructions: BTreeMap::new(),
        }
    }
}

impl Budget {
    /// Reads the file.
    pub fn load(path: &Path) -> io::Result<Self> {
        let shown = path.display();
        let text =
            fs::read_to_string(path).map_err(|error| io::Error::new(error.kind(), format!("{shown}: {error}")))?;
        toml::from_str(&text).map_err(|error| io::Error::other(format!("{shown}: {error}")))
    }

    /// Writes the file.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.to_toml())
    }

    /// By how much figures may differ that were measured with these.
    pub fn tolerance_percent_for(&self, circumstances: &str) -> f64 {
        if circumstances == self.made_with { self.tolerance_percent } else { self.tolerance_percent_elsewhere }
    }

    fn to_toml(&self) -> String {
        let Self { made_with, tolerance_percent, tolerance_percent_elsewhere, instructions } = self;
        let mut text = format!(
            "{HEAD}\n\
             # Figures depend on these too: another compiler generates other code, another C library copies otherwise. Where any of\n\
             # them differs, the wider tolerance counts.\n\
             made_with = {made_with:?}\n\
             tolerance_percent = {tolerance_percent:?}\n\
             tolerance_percent_elsewhere = {tolerance_percent_elsewhere:?}\n\n\
             [instructions]\n"
        );
        for (kind, instructions) in instructions {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{kind} = {instructions}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget {
            made_with: "rustc 1.95.0 (59807616e 2026-04-14) for x86_64, glibc 2.36, valgrind-3.19.0".into(),
            tolerance_percent: 3.0,
            tolerance_percent_elsewhere: 12.5,
            instructions: [("acquire".into(), 80_123), ("release".into(), 60_000)].into(),
        }
    }

    #[test]
    fn a_budget_is_read_as_it_was_written() {
        let text = budget().to_toml();
        assert_eq!(toml::from_str::<Budget>(&text).unwrap_or_else(|error| panic!("{error}: {text}")), budget());
    }

    #[test]
    fn the_tolerance_is_wider_where_anything_else_made_the_figures() {
        assert_eq!(budget().tolerance_percent_for(&budget().made_with), 3.0);
        assert_eq!(budget().tolerance_percent_for("rustc 1.96.0, glibc 2.36, valgrind-3.19.0"), 12.5);
    }
}

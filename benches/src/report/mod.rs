//! Writes the tables of docs/BENCHMARKS.md and its plots. People write all other words there.

pub mod aims;
mod chart;
pub mod document;
pub mod figures;
pub mod file;
mod lines;
mod plots;
pub mod tables;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use itertools::Itertools;

use crate::{budget, results::Results};
use file::told;
use lines::Values;

const DOCUMENT: &str = "BENCHMARKS.md";
/// The folder of the plots, beside the document.
const PLOTS: &str = "benchmarks";

/// Reads the results, writes the report, and says where it is.
pub fn run(results: &Path, docs: &Path) -> Result<()> {
    let results = Results::load(results)?;
    let budget = budget::file::Budget::load(Path::new(budget::FILE))?;
    write(&results, &budget.instructions, docs)?;
    println!("{} samples are told in {}", results.samples.len(), docs.join(DOCUMENT).display());
    Ok(())
}

/// Writes the plots for which there are figures, and the measured sections of the document.
fn write(results: &Results, instructions: &BTreeMap<String, u64>, docs: &Path) -> Result<()> {
    let (document, folder) = (docs.join(DOCUMENT), docs.join(PLOTS));
    let before = fs::read_to_string(&document).with_context(|| document.display().to_string())?;
    fs::create_dir_all(&folder)?;
    let drawn = told().plots.iter().map(|plot| Ok((plot, plot.svg(results)?)));
    let drawn: Vec<_> = drawn.collect::<Result<_>>()?;
    let after = document::filled(&before, |section| match section {
        "rounds" => rounds(results),
        "costs" => lines::costs(&Values { results, instructions }),
        "aims" => aims::table(&Values { results, instructions }),
        "machine" => tables::circumstances(results),
        "contestants" => tables::contestants(results),
        workload => {
            let shown = drawn.iter().filter(|(plot, svg)| plot.workload == workload && svg.is_some());
            let images = shown.map(|(plot, _)| format!("![{}]({PLOTS}/{})\n\n", plot.alt, plot.file));
            images.collect::<String>() + &tables::of(results, workload)
        }
    })?;
    for workload in results.samples.iter().map(|sample| &sample.workload).unique() {
        let opening = document::opening(workload);
        let is_there = after.contains(&opening);
        ensure!(is_there, "there is no section for {workload}, which would begin with {}", opening.trim());
    }
    for (plot, svg) in drawn {
        let file = folder.join(&plot.file);
        match svg {
            Some(svg) => fs::write(&file, svg)?,
            // The plot of an earlier run must not stay beside the tables of this run.
            None if file.exists() => fs::remove_file(&file)?,
            None => {}
        }
    }
    Ok(fs::write(&document, after)?)
}

fn rounds(results: &Results) -> String {
    let rounds = results.samples.iter().counts_by(|sample| (&sample.workload, &sample.contestant, sample.at));
    match rounds.into_values().minmax().into_option() {
        Some((fewest, most)) if fewest == most => format!("Everything was measured in {most} rounds.\n"),
        Some((fewest, most)) => format!("Everything was measured in {fewest} to {most} rounds.\n"),
        None => "Nothing was measured.\n".into(),
    }
}

#[cfg(test)]
mod tests;

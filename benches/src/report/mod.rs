//! Tells what was measured: docs/BENCHMARKS.md and its plots.

use std::{fs, io, path::Path};

use self::{document::PLOTS, handwritten::HandWritten, measured::Measured};
use crate::results::Results;

pub mod aims;
mod axis;
mod bars;
mod canvas;
mod chart;
mod document;
#[cfg(test)]
mod fixture;
mod handwritten;
mod look;
mod measured;
mod numbers;
mod plots;
mod series;
mod spread;
mod tables;
mod words;

/// The document, in the folder for documents.
pub const DOCUMENT: &str = "BENCHMARKS.md";

/// Writes the document anew, except for what people wrote into it, and all plots that there are figures for.
pub fn write(results: &Results, docs: &Path) -> io::Result<()> {
    let document = docs.join(DOCUMENT);
    let before = match fs::read_to_string(&document) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        before => before?,
    };
    let hand_written = HandWritten::find(&before).map_err(|why| io::Error::other(format!("{DOCUMENT}: {why}")))?;
    let measured = Measured::new(results);
    let folder = docs.join(PLOTS);
    fs::create_dir_all(&folder)?;
    let mut shown = Vec::new();
    for plot in &plots::PLOTS {
        let file = folder.join(plot.file);
        match (plot.draw)(&measured).svg()? {
            Some(svg) => {
                fs::write(file, svg)?;
                shown.push(plot);
            }
            // One of an earlier run must not stay beside the tables of this one.
            None => match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
    }
    fs::write(document, document::markdown(&measured, &shown, &hand_written))
}

#[cfg(test)]
mod tests;

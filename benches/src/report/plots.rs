//! The plots of report.toml, and which results each plot shows. `chart.rs` draws them.

use anyhow::Result;
use itertools::Itertools;

use super::{chart::Axis, chart::Chart, chart::DataSeries, figures, figures::Unit, file::Look, file::Plot, file::told};
use crate::results::{Cell, GORILLA, Results, Spread};

/// The size that a plot shows if it is not a plot over sizes.
const USUAL: u64 = 64;

impl Plot {
    /// The whole SVG document. None if there are no figures for the plot.
    pub fn svg(&self, results: &Results) -> Result<Option<String>> {
        let lines = self.lines(results);
        let Some((_, _, _, _, first)) = lines.first() else { return Ok(None) };
        let unit = Unit::of(first);
        // Each place is a size or a figure, with its label.
        let over_sizes = self.figures.len() < 2;
        let ats = lines.iter().flat_map(|(_, _, workload, ..)| results.ats(workload)).sorted().dedup();
        let places: Vec<(u64, Option<&String>, String)> = match over_sizes {
            true => ats.map(|at| (at, None, figures::count(at))).collect(),
            false => self.figures.iter().map(|name| (USUAL, Some(name), figures::heading(name).0.into())).collect(),
        };
        let series = lines.into_iter().map(|(name, look, workload, contestant, of_line)| {
            let points = places.iter().enumerate().filter_map(|(place, (at, figure, _))| {
                let cell = Cell { workload, contestant, at: *at };
                Some((place as f64, results.figure(cell, figure.map_or(of_line, String::as_str))?))
            });
            DataSeries { name: name.into(), look, points: points.collect() }
        });
        let series = series.filter(|series| !series.points.is_empty()).collect_vec();
        if series.is_empty() {
            return Ok(None);
        }
        let usual = |series: &DataSeries| {
            results.figure(Cell { workload: &self.workload, contestant: &series.name, at: USUAL }, "offered_per_s")
        };
        let offered = series.iter().filter_map(|series| Some(usual(series)?.median));
        let rate = Spread::of(offered).map(|rate| format!(", {} cycles a second", Unit::Count.spread(rate)));
        // The axis must have room for the largest round of each part of a bar.
        let reach = series.iter().flat_map(|series| match self.stacked {
            true => vec![series.points.iter().map(|(_, part)| part.max).sum()],
            false => series.points.iter().flat_map(|(_, spread)| [spread.min, spread.max]).collect(),
        });
        let chart = Chart {
            title: self.title.clone() + &rate.unwrap_or_default(),
            below: format!("{}{}", self.y, if self.logarithmic { " (logarithmic)" } else { "" }),
            y: Axis::of(&reach.collect_vec(), self.logarithmic, unit),
            places: places.into_iter().map(|place| place.2).collect(),
            x: if over_sizes { figures::varied(&self.workload).into() } else { String::new() },
            unit,
            series,
        };
        chart.svg(self.stacked).map(Some)
    }

    /// The lines, each with a name, a look, a workload, a contestant and, over sizes, a figure.
    fn lines<'a>(&'a self, results: &'a Results) -> Vec<(&'a str, Look, &'a str, &'a str, &'a str)> {
        if let Some(figure) = self.figures.first() {
            let look = |name| told().looks.get(name).copied().unwrap_or(told().series[3]);
            let all = results.contestants_of(&self.workload).into_iter();
            return all.map(|name| (name, look(name), &*self.workload, name, &**figure)).collect();
        }
        let all = self.lines.iter().zip(&told().series);
        all.map(|([workload, figure, name], look)| (&**name, *look, &**workload, GORILLA, &**figure)).collect()
    }
}

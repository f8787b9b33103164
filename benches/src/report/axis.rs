//! Where values stand on an axis, and which of them are written beside it.

use std::ops::Range;

use super::numbers::Unit;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// One axis of a chart.
#[derive(Clone)]
pub struct Axis {
    /// What it shows, with the unit.
    pub title: String,
    scale: Scale,
    /// The positions of both ends.
    range: Range<f64>,
    ticks: Vec<(f64, String)>,
    /// Values between ticks that only have a faint line.
    minor: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
    /// One place after the other for each value that has a tick.
    Places,
}

impl Axis {
    /// Ticks exactly at these values. A logarithm has no place for zero: where it is among them, all stand equally far apart.
    pub fn measured(title: String, values: &[f64], label: impl Fn(f64) -> String) -> Self {
        let scale = if values.iter().all(|value| *value > 0.0) { Scale::Logarithmic } else { Scale::Places };
        let title = if scale == Scale::Logarithmic { logarithmic(&title) } else { title };
        Self::at(title, scale, values, label)
    }

    /// These values one after the other, equally far apart.
    pub fn places(title: String, values: &[f64], label: impl Fn(f64) -> String) -> Self {
        Self::at(title, Scale::Places, values, label)
    }

    fn at(title: String, scale: Scale, values: &[f64], label: impl Fn(f64) -> String) -> Self {
        let ticks = values.iter().map(|&value| (value, label(value))).collect();
        let mut axis = Self { title, scale, range: 0.0..1.0, ticks, minor: Vec::new() };
        let (from, to) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), &value| {
            let position = axis.position(value);
            (from.min(position), to.max(position))
        });
        let margin = if to > from { (to - from) * 0.05 } else { 1.0 };
        axis.range = from - margin..to + margin;
        axis
    }

    /// Powers of ten around all these values, which are above zero.
    pub fn logarithmic(title: String, values: &[f64], unit: Unit) -> Self {
        let positions = values.iter().filter(|value| **value > 0.0).map(|value| value.log10());
        let (from, to) =
            positions.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), at| (from.min(at), to.max(at)));
        let (from, to) = if from <= to { (from - 0.1, to + 0.1) } else { (0.0, 1.0) };
        let mut ticks = Vec::new();
        let mut minor = Vec::new();
        for decade in from.floor() as i32..=to.ceil() as i32 {
            for step in 1..10 {
                let value = f64::from(step) * 10_f64.powi(decade);
                if !(from..=to).contains(&value.log10()) {
                    continue;
                }
                // Few decades have room for more labels.
                let labelled =
                    step == 1 || (to - from < 2.5 && [2, 5].contains(&step)) || (to - from < 0.7 && step != 9);
                if labelled { ticks.push((value, unit.tick(value, value))) } else { minor.push(value) }
            }
        }
        Self { title: logarithmic(&title), scale: Scale::Logarithmic, range: from..to, ticks, minor }
    }

    /// From zero to above all these values.
    pub fn linear(title: String, values: &[f64], unit: Unit) -> Self {
        let most = values.iter().copied().fold(0.0, f64::max) * 1.08;
        let most = if most > 0.0 { most } else { 1.0 };
        let grain = unit.grain(most);
        let power = 10_f64.powf((most / grain / 6.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power * grain);
        let step = steps.into_iter().find(|step| most / step <= 6.0).unwrap_or(most);
        let ticks = (0..=(most / step) as i32).map(|count| f64::from(count) * step);
        let ticks = ticks.map(|value| (value, unit.tick(value, most))).collect();
        Self { title, scale: Scale::Linear, range: 0.0..most, ticks, minor: Vec::new() }
    }

    /// What is written at a tick.
    pub fn label(&self, value: f64) -> String {
        self.ticks.iter().find(|(tick, _)| *tick == value).map(|(_, label)| label.clone()).unwrap_or_default()
    }

    /// Where a value stands, in the numbers of `range`.
    fn position(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic if value > 0.0 => value.log10(),
            // Zero has no place, and stands at the edge.
            Scale::Logarithmic => self.range.start,
            Scale::Places => self.ticks.iter().position(|(tick, _)| *tick == value).unwrap_or(0) as f64,
        }
    }
}

fn logarithmic(title: &str) -> String {
    format!("{title} (logarithmic)")
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (self.position(*value) - self.range.start) / (self.range.end - self.range.start);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // First it is asked for faint lines, then for those with a label.
        if hint.weight().allow_light_points() {
            self.minor.clone()
        } else {
            self.ticks.iter().map(|(tick, _)| *tick).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|(tick, _)| axis.label(*tick)).collect()
    }

    fn plain(value: f64) -> String {
        value.to_string()
    }

    #[test]
    fn every_value_is_within_its_axis() {
        let values = [3.0, 47.0, 900.0];
        for axis in [
            Axis::measured("x".into(), &values, plain),
            Axis::logarithmic("x".into(), &values, Unit::Count),
            Axis::linear("x".into(), &values, Unit::Count),
        ] {
            for value in values {
                assert!((1..1000).contains(&axis.map(&value, (0, 1000))), "{value} in {:?}", axis.range);
            }
        }
    }

    #[test]
    fn measured_values_have_the_ticks_and_zero_has_a_place() {
        let axis = Axis::measured("x".into(), &[0.0, 10.0, 1000.0], plain);
        assert_eq!(labels(&axis), ["0", "10", "1000"]);
        assert_eq!([0.0, 10.0, 1000.0].map(|value| axis.position(value)), [0.0, 1.0, 2.0]);
        let axis = Axis::measured("x".into(), &[1.0, 16.0, 64.0], plain);
        assert_eq!(axis.position(16.0), 16_f64.log10());
    }

    #[test]
    fn ticks_are_round_numbers_in_the_unit_that_is_written() {
        let axis = Axis::logarithmic("y".into(), &[3.0, 200_000.0], Unit::Micros);
        assert_eq!(labels(&axis), ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms"]);
        assert_eq!(labels(&Axis::logarithmic("y".into(), &[30.0, 400.0], Unit::Count)), ["50", "100", "200", "500"]);
        assert_eq!(
            labels(&Axis::linear("y".into(), &[430.0], Unit::Micros)),
            ["0", "100 µs", "200 µs", "300 µs", "400 µs"]
        );
        assert_eq!(
            labels(&Axis::linear("y".into(), &[27_000.0], Unit::Bytes)),
            ["0", "5 KiB", "10 KiB", "15 KiB", "20 KiB", "25 KiB"]
        );
    }
}

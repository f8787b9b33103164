//! Draws charts with plotters, on white: otherwise the letters would be dark on dark for readers with a dark mode.

use std::ops::Range;

use anyhow::{Context, Result};
use itertools::Itertools;
use plotters::{
    coord::Shift, coord::ranged1d::DefaultFormatting, coord::ranged1d::KeyPointHint, coord::ranged1d::Ranged,
    element::ErrorBarOrientV, prelude::*, style::text_anchor::HPos, style::text_anchor::Pos, style::text_anchor::VPos,
};

use super::{figures::Unit, file::Look, file::told};
use crate::results::Spread;

/// In pixels. Plotters places everything at whole pixels, so the pixels are small: pages show a plot at about half its
/// size.
const SIZE: (u32, u32) = (1600, 960);
/// The height of a name, and the width of a wide letter.
const NAME: i32 = 36;
const LETTER: i32 = 15;
/// The colour of text and axes.
const INK: RGBColor = RGBColor(50, 50, 50);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type Upright = ErrorBarOrientV<f64, f64>;

impl Look {
    fn colour(self) -> RGBColor {
        let [red, green, blue] = self.colour;
        RGBColor(red, green, blue)
    }

    /// Whether the line is wide, like that of Gorilla.
    fn is_bold(self) -> bool {
        self == told().series[0]
    }

    fn marker<At: Clone>(self, at: At) -> [Circle<At, i32>; 2] {
        let inside = if self.hollow { WHITE } else { self.colour() };
        [inside.filled(), self.colour().stroke_width(3)].map(|style| Circle::new(at.clone(), 9, style))
    }
}

#[derive(Clone)]
pub struct Axis {
    is_logarithmic: bool,
    /// The positions of both ends.
    range: Range<f64>,
    /// The values that have a label, and their labels.
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis with room for all these values, and with ticks at round numbers.
    pub fn of(values: &[f64], is_logarithmic: bool, unit: Unit) -> Self {
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        if !is_logarithmic {
            let (top, grain) = (most * 1.08, unit.scale(most).0);
            let power = 10_f64.powf((top / grain / 6.0).log10().floor()) * grain;
            let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
            let step = steps.into_iter().find(|step| top / step <= 6.0).unwrap_or(most);
            let values = (0..=(top / step) as i32).map(|count| f64::from(count) * step);
            let ticks = values.map(|value| (value, unit.tick(value, most))).collect();
            return Self { is_logarithmic, range: 0.0..top, ticks };
        }
        let least = values.iter().copied().filter(|value| *value > 0.0).fold(most, f64::min);
        let range = least.log10() - 0.1..most.log10() + 0.1;
        // With few decades there is room for more ticks than the powers of ten.
        let steps: &[f64] = if range.end - range.start < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let decades = range.start.floor() as i32..=range.end.ceil() as i32;
        let values = decades.flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
        let ticks = values.filter(|value| range.contains(&value.log10()));
        let ticks = ticks.map(|value| (value, unit.tick(value, value))).collect();
        Self { is_logarithmic, range, ticks }
    }

    /// An axis with places beside each other.
    fn places(labels: &[String]) -> Self {
        let ticks = labels.iter().enumerate().map(|(place, label)| (place as f64, label.clone())).collect();
        Self { is_logarithmic: false, range: -0.5..labels.len() as f64 - 0.5, ticks }
    }

    fn label(&self, value: &f64) -> String {
        self.ticks.iter().find(|(tick, _)| tick == value).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let position = if self.is_logarithmic { value.log10() } else { *value };
        let share = (position - self.range.start) / (self.range.end - self.range.start);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Plotters also asks for the ticks of faint lines. There are none.
        let ticks = self.ticks.iter().map(|(tick, _)| *tick);
        if hint.weight().allow_light_points() { vec![] } else { ticks.collect() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Figures over places.
pub struct Chart {
    pub title: String,
    /// What was measured. It stands above the upright axis, because text that is turned along the axis is hard to read.
    pub below: String,
    /// The labels below the places of lines. Below bars stand the names of the bars.
    pub places: Vec<String>,
    /// What is varied.
    pub x: String,
    pub y: Axis,
    pub unit: Unit,
    /// The first series is drawn last, above the others.
    pub series: Vec<DataSeries>,
}

/// The figures of one contestant, drawn as a line or as a bar.
pub struct DataSeries {
    pub name: String,
    pub look: Look,
    /// The points of a line from left to right, each with the number of its place; or the parts of a bar from its foot.
    pub points: Vec<(f64, Spread)>,
}

impl Chart {
    /// The whole SVG document, with lines or with bars.
    pub fn svg(&self, with_bars: bool) -> Result<String> {
        let mut svg = String::new();
        let drawn = self.draw(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), with_bars);
        drawn.with_context(|| format!("can't draw {}", self.title))?;
        Ok(svg)
    }

    fn draw(&self, area: &Area, with_bars: bool) -> Result<()> {
        area.fill(&WHITE)?;
        area.draw(&Text::new(self.title.clone(), (40, 50), font(46.0, true, HPos::Left)))?;
        area.draw(&Text::new(self.below.clone(), (40, 104), font(34.0, false, HPos::Left)))?;
        let names: Vec<_> = self.series.iter().map(|series| series.name.clone()).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as i32;
        let x = Axis::places(if with_bars { &names } else { &self.places });
        let mut plane = ChartBuilder::on(area)
            .margin_top(140)
            .margin_right(if with_bars { 40 } else { 90 + longest * LETTER })
            .margin_left(30)
            .margin_bottom(20)
            .x_label_area_size(96)
            .y_label_area_size(130)
            .build_cartesian_2d(x.clone(), self.y.clone())?;
        plane
            .configure_mesh()
            .axis_style(INK.stroke_width(2))
            .bold_line_style(INK.mix(0.2).stroke_width(2))
            .label_style(font(34.0, false, HPos::Left))
            .axis_desc_style(font(34.0, false, HPos::Left))
            .x_desc(&self.x)
            .x_label_formatter(&|at| x.label(at))
            .y_label_formatter(&|at| self.y.label(at))
            .draw()?;
        if with_bars {
            return self.bars(area, &mut plane);
        }
        for DataSeries { look, points, .. } in self.series.iter().rev() {
            let medians: Vec<_> = points.iter().map(|(place, spread)| (*place, spread.median)).collect();
            let style = look.colour().stroke_width(if look.is_bold() { 6 } else { 3 });
            plane.draw_series([PathElement::new(medians.clone(), style)])?;
            plane.draw_series(points.iter().map(|(place, spread)| rounds(*place, 0.0, spread, look.colour())))?;
            plane.draw_series(medians.into_iter().flat_map(|at| look.marker(at)))?;
        }
        self.names(area, &plane)
    }

    /// Draws the names at the right, each beside the end of its line or, if there is no room, below the name before it.
    fn names(&self, area: &Area, plane: &Plane) -> Result<()> {
        let end = |(place, spread): &(f64, Spread)| plane.backend_coord(&(*place, spread.median));
        let mut ends: Vec<_> =
            self.series.iter().map(|series| (series.points.last().map_or((0, 0), end), series)).collect();
        ends.sort_by_key(|((_, y), _)| *y);
        let last = ends.iter().map(|((x, _), _)| *x).max();
        let (columns, rows) = plane.plotting_area().get_pixel_range();
        let (left, mut below) = (columns.end + 45, rows.start);
        for (number, (end, DataSeries { name, look, .. })) in ends.iter().enumerate() {
            // So high that the other names have room below this name.
            let lowest = rows.end - NAME * (ends.len() - 1 - number) as i32;
            let y = end.1.min(lowest).max(below);
            below = y + NAME;
            // For a line that ends before the others, this connection to its name would cross the other lines.
            if Some(end.0) == last {
                area.draw(&PathElement::new([*end, (left - 16, y)], look.colour().mix(0.45).stroke_width(2)))?;
            }
            look.marker((left, y)).iter().try_for_each(|marker| area.draw(marker))?;
            area.draw(&Text::new(name.clone(), (left + 22, y), font(31.0, look.is_bold(), HPos::Left)))?;
        }
        Ok(())
    }

    /// Draws bars with a dark part and, above it, a light part.
    fn bars(&self, area: &Area, plane: &mut Plane) -> Result<()> {
        for (place, DataSeries { look, points, .. }) in self.series.iter().enumerate() {
            let (x, mut foot, mut top) = (place as f64, 0.0, 0.0_f64);
            for ((_, part), opacity) in points.iter().zip([1.0, 0.35]) {
                let corners = [(x - 0.3, foot), (x + 0.3, foot + part.median)];
                plane.draw_series([Rectangle::new(corners, look.colour().mix(opacity).filled())])?;
                plane.draw_series([rounds(x, foot, part, INK)])?;
                (foot, top) = (foot + part.median, top.max(foot + part.max));
            }
            let said = points.iter().map(|(_, part)| self.unit.say(part.median)).join(" + ");
            let (x, y) = plane.backend_coord(&(x, top));
            let style = font(31.0, false, HPos::Center);
            area.draw(&Text::new(said, (x, y - 24), style))?;
        }
        Ok(())
    }
}

/// A bar from the smallest to the largest round.
fn rounds(place: f64, foot: f64, spread: &Spread, colour: RGBColor) -> ErrorBar<f64, f64, Upright> {
    let [min, median, max] = [spread.min, spread.median, spread.max].map(|value| foot + value);
    ErrorBar::new_vertical(place, min, median, max, colour.stroke_width(2), 14)
}

/// A font that all browsers have, of this size in pixels with the space between lines. The middle of the letters is at
/// the height of their point.
fn font(size: f64, bold: bool, side: HPos) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    ("sans-serif", size).into_font().style(style).color(&INK).pos(Pos::new(side, VPos::Center))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_contestants_look_alike() {
        assert!(told().looks.values().map(|look| (look.colour, look.hollow)).all_unique());
    }

    #[test]
    fn ticks_are_round_numbers_in_the_unit_that_is_written() {
        let labels = |values: &[f64], is_logarithmic, unit| {
            Axis::of(values, is_logarithmic, unit).ticks.into_iter().map(|(_, label)| label).collect_vec()
        };
        let micros = labels(&[3.0, 200_000.0], true, Unit::Micros);
        assert_eq!(micros, ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms"]);
        assert_eq!(labels(&[30.0, 400.0], true, Unit::Count), ["50", "100", "200", "500"]);
        let bytes = labels(&[27_000.0], false, Unit::Bytes);
        assert_eq!(bytes, ["0", "5 KiB", "10 KiB", "15 KiB", "20 KiB", "25 KiB"]);
    }
}

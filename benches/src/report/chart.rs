//! Draws lines over two axes.

use std::{io, ops::Range};

use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::cartesian::Cartesian2d,
    element::PathElement,
    prelude::SVGBackend,
    style::{Color, RGBColor},
};

use super::{
    axis::Axis,
    canvas::{self, Area, Drawn, GRID, HEAD, INK, LETTER, NAME, Point, font, marker, spread_bar, text},
    look::Look,
    spread::Spread,
};

const HEIGHT: u32 = 960;
const FAINT_GRID: RGBColor = RGBColor(240, 240, 240);

/// Lines over two axes.
pub struct Chart {
    /// What it is about.
    pub title: String,
    /// What is varied.
    pub x: Axis,
    /// What was measured.
    pub y: Axis,
    /// The first is drawn last, above the others.
    pub lines: Vec<Line>,
}

/// One line with its name.
pub struct Line {
    /// Stands beside its right end.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// From left to right.
    pub points: Vec<(f64, Spread)>,
}

type Context<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

impl Chart {
    /// The whole SVG document.
    pub fn svg(&self) -> io::Result<String> {
        // The title of the upright axis stands above it and not turned along it, where it would be hard to read.
        canvas::svg(HEIGHT, &self.title, &self.y.title, |area| self.draw(area))
    }

    fn draw(&self, area: &Area) -> Drawn {
        let longest = self.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        let mut context = ChartBuilder::on(area)
            .margin_top(HEAD)
            .margin_right(90 + longest as i32 * LETTER)
            .margin_left(30)
            .margin_bottom(20)
            .x_label_area_size(96)
            .y_label_area_size(130)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        context
            .configure_mesh()
            .axis_style(INK.stroke_width(2))
            .bold_line_style(GRID.stroke_width(2))
            .light_line_style(FAINT_GRID.stroke_width(2))
            .label_style(font(34.0, false, INK))
            .axis_desc_style(font(34.0, false, INK))
            .x_desc(self.x.title.as_str())
            .x_label_formatter(&|value| self.x.label(*value))
            .y_label_formatter(&|value| self.y.label(*value))
            .draw()?;
        for line in self.lines.iter().rev() {
            self.line(area, &context, line)?;
        }
        self.names(area, &context)
    }

    fn line(&self, area: &Area, context: &Context, line: &Line) -> Drawn {
        let pixel = |x: f64, y: f64| context.backend_coord(&(x, y));
        let path: Vec<Point> = line.points.iter().map(|(x, spread)| pixel(*x, spread.median)).collect();
        area.draw(&PathElement::new(path.clone(), line.look.colour.stroke_width(line.look.width)))?;
        for (x, spread) in &line.points {
            spread_bar(area, pixel(*x, spread.max), pixel(*x, spread.min), line.look.colour)?;
        }
        path.into_iter().try_for_each(|point| marker(area, point, line.look))
    }

    /// The names at the right, each as near to the end of its line as the others allow.
    fn names(&self, area: &Area, context: &Context) -> Drawn {
        let (columns, rows) = context.plotting_area().get_pixel_range();
        let ends: Vec<Point> = self
            .lines
            .iter()
            .filter_map(|line| line.points.last())
            .map(|(x, spread)| context.backend_coord(&(*x, spread.median)))
            .collect();
        let wanted: Vec<f64> = ends.iter().map(|(_, y)| f64::from(*y)).collect();
        let places = spread_out(&wanted, NAME, f64::from(rows.start)..f64::from(rows.end));
        let last = ends.iter().map(|(x, _)| *x).max();
        let left = columns.end + 45;
        for ((line, end), place) in self.lines.iter().zip(ends).zip(places) {
            let place = place.round() as i32;
            // A line that ends before would be tied to its name across the others.
            if Some(end.0) == last {
                area.draw(&PathElement::new([end, (left - 16, place)], line.look.colour.mix(0.45).stroke_width(2)))?;
            }
            marker(area, (left, place), line.look)?;
            text(area, &line.name, (left + 22, place), 31.0, line.look.width > 3, line.look.ink())?;
        }
        Ok(())
    }
}

/// Moves places apart until they keep a distance, each as little as possible, and all within bounds if these have room.
fn spread_out(wanted: &[f64], distance: f64, bounds: Range<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|left, right| wanted[*left].total_cmp(&wanted[*right]));
    // Groups of neighbours that touch: where the first stands, and who they are.
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for index in order {
        let mut members = vec![index];
        let mut start = wanted[index];
        while let Some((before, others)) = groups.last() {
            if before + others.len() as f64 * distance <= start {
                break;
            }
            let mut joined = others.clone();
            joined.append(&mut members);
            members = joined;
            let middles = members.iter().enumerate().map(|(place, member)| wanted[*member] - place as f64 * distance);
            start = middles.sum::<f64>() / members.len() as f64;
            groups.pop();
        }
        groups.push((start, members));
    }
    let mut places = vec![0.0; wanted.len()];
    let mut next = bounds.start;
    let mut left = wanted.len() as f64;
    for (start, members) in groups {
        for (place, member) in members.into_iter().enumerate() {
            left -= 1.0;
            let latest = (bounds.end - left * distance).max(next);
            places[member] = (start + place as f64 * distance).clamp(next, latest);
            next = places[member] + distance;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_distance_their_order_and_the_bounds() {
        assert_eq!(spread_out(&[10.0, 50.0], 20.0, 0.0..100.0), [10.0, 50.0]);
        assert_eq!(spread_out(&[52.0, 48.0], 20.0, 0.0..100.0), [60.0, 40.0]);
        assert_eq!(spread_out(&[0.0, 0.0, 3.0], 20.0, 0.0..100.0), [0.0, 20.0, 40.0]);
        assert_eq!(spread_out(&[100.0, 99.0, 40.0], 20.0, 0.0..100.0), [100.0, 80.0, 40.0]);
    }
}

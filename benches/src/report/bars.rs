//! Draws bars that consist of two parts.

use std::io;

use plotters::{
    coord::ranged1d::{BoldPoints, Ranged},
    element::{PathElement, Rectangle},
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    axis::Axis,
    canvas::{self, Area, Drawn, GRID, HEAD, INK, LETTER, WIDTH, font, marker, spread_bar, text},
    look::Look,
    spread::Spread,
};

/// From one bar to the next.
const STEP: i32 = 66;
/// Half of a bar's height.
const HALF: i32 = 19;
/// Below the bars, for the axis.
const FOOT: i32 = 80;

/// Lying bars, one below the other.
pub struct Bars {
    /// What it is about.
    pub title: String,
    /// What was measured, and in what unit.
    pub axis: Axis,
    /// From the top.
    pub rows: Vec<Row>,
}

/// One bar.
pub struct Row {
    /// Stands at its left.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// The dark part and, after it, the light one, which may be absent.
    pub parts: [Option<Spread>; 2],
    /// Stands at its right.
    pub words: String,
}

impl Bars {
    /// The whole SVG document.
    pub fn svg(&self) -> io::Result<String> {
        let height = HEAD + self.rows.len() as i32 * STEP + FOOT;
        canvas::svg(height.unsigned_abs(), &self.title, &self.axis.title, |area| self.draw(area))
    }

    fn draw(&self, area: &Area) -> Drawn {
        let widest =
            |words: fn(&Row) -> &str| self.rows.iter().map(|row| words(row).chars().count()).max().unwrap_or(0) as i32;
        let left = 100 + widest(|row| &row.name) * LETTER;
        let right = WIDTH as i32 - 40 - widest(|row| &row.words) * LETTER;
        let bottom = HEAD + self.rows.len() as i32 * STEP;
        let place = |value: f64| self.axis.map(&value, (left, right));
        for tick in self.axis.key_points(BoldPoints(usize::MAX)) {
            let x = place(tick);
            area.draw(&PathElement::new([(x, HEAD), (x, bottom)], GRID.stroke_width(2)))?;
            let style = font(34.0, false, INK).pos(Pos::new(HPos::Center, VPos::Center));
            area.draw_text(&self.axis.label(tick), &style, (x, bottom + 28))?;
        }
        for (number, row) in self.rows.iter().enumerate() {
            let middle = HEAD + number as i32 * STEP + STEP / 2;
            marker(area, (52, middle), row.look)?;
            text(area, &row.name, (76, middle), 31.0, row.look.width > 3, row.look.ink())?;
            let mut from = 0.0;
            let mut end = left;
            for (part, opacity) in row.parts.iter().zip([1.0, 0.35]) {
                let Some(spread) = part else { continue };
                let corners = [(place(from), middle - HALF), (place(from + spread.median), middle + HALF)];
                area.draw(&Rectangle::new(corners, row.look.colour.mix(opacity).filled()))?;
                spread_bar(area, (place(from + spread.min), middle), (place(from + spread.max), middle), INK)?;
                end = end.max(place(from + spread.max));
                from += spread.median;
            }
            text(area, &row.words, (end + 16, middle), 31.0, false, INK)?;
        }
        area.draw(&PathElement::new([(left, HEAD), (left, bottom)], INK.stroke_width(2)))?;
        Ok(())
    }
}

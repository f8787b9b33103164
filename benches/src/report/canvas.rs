//! What all plots share: their size, their letters, their markers.

use std::io;

use plotters::{
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Polygon, Text},
    prelude::SVGBackend,
    style::{
        Color, FontStyle, IntoFont, RGBColor, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::look::Look;

/// In pixels. Plotters places everything at whole ones, so they are small: pages show a plot at about half this size.
pub const WIDTH: u32 = 1600;
/// What the title and the line below it take.
pub const HEAD: i32 = 140;
/// The height of a name, and the width of one of its letters where they are wide.
pub const NAME: f64 = 36.0;
/// See `NAME`.
pub const LETTER: i32 = 15;
/// Of text and axes.
pub const INK: RGBColor = RGBColor(50, 50, 50);
/// Of the lines behind the figures.
pub const GRID: RGBColor = RGBColor(215, 215, 215);
const RADIUS: f64 = 10.0;

/// What is drawn on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Whether something could be drawn.
pub type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;
/// To the right and down, in pixels.
pub type Point = (i32, i32);

/// A whole SVG document with this head.
pub fn svg(height: u32, title: &str, below: &str, draw: impl FnOnce(&Area) -> Drawn) -> io::Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    // Without it the text would be dark on dark for who reads in a dark mode.
    let drawn = area.fill(&WHITE).map_err(Into::into);
    drawn
        .and_then(|()| text(&area, title, (40, 50), 46.0, true, INK))
        .and_then(|()| text(&area, below, (40, 104), 34.0, false, INK))
        .and_then(|()| draw(&area))
        .map_err(io::Error::other)?;
    // It writes the end of the document.
    drop(area);
    Ok(svg)
}

/// From the smallest to the largest round, upright or lying.
pub fn spread_bar(area: &Area, from: Point, to: Point, colour: RGBColor) -> Drawn {
    let style = colour.stroke_width(2);
    area.draw(&PathElement::new([from, to], style))?;
    let (right, down) = if from.0 == to.0 { (7, 0) } else { (0, 7) };
    for (x, y) in [from, to] {
        area.draw(&PathElement::new([(x - right, y - down), (x + right, y + down)], style))?;
    }
    Ok(())
}

/// The marker of a line, around a point.
pub fn marker(area: &Area, (x, y): Point, look: Look) -> Drawn {
    let corners = look.marker.corners();
    if corners.is_empty() {
        let radius = RADIUS as i32;
        let inside = if look.hollow { WHITE } else { look.colour };
        area.draw(&Circle::new((x, y), radius, inside.filled()))?;
        area.draw(&Circle::new((x, y), radius, look.colour.stroke_width(3)))?;
        return Ok(());
    }
    let corner = |(right, down): &(f64, f64)| (x + (right * RADIUS).round() as i32, y + (down * RADIUS).round() as i32);
    let mut path: Vec<Point> = corners.iter().map(corner).collect();
    area.draw(&Polygon::new(path.clone(), if look.hollow { WHITE } else { look.colour }))?;
    // Two corners again, so that the last edge joins the first.
    path.extend_from_within(..2);
    area.draw(&PathElement::new(path, look.colour.stroke_width(3)))?;
    Ok(())
}

/// Words that begin at a point, their middle at its height.
pub fn text(area: &Area, words: &str, at: Point, size: f64, bold: bool, colour: RGBColor) -> Drawn {
    area.draw(&Text::new(words.to_owned(), at, font(size, bold, colour).pos(Pos::new(HPos::Left, VPos::Center))))?;
    Ok(())
}

/// Letters of this size in pixels, with the space between lines.
pub fn font(size: f64, bold: bool, colour: RGBColor) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    ("sans-serif", size).into_font().style(style).color(&colour)
}

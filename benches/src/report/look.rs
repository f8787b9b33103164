//! One colour and one marker for each contestant, the same in every plot.

use plotters::style::RGBColor;

use super::measured::GORILLA;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Of the line and its markers.
    pub colour: RGBColor,
    /// At each value.
    pub marker: Marker,
    /// Whether markers are white inside.
    pub hollow: bool,
    /// In pixels.
    pub width: u32,
}

/// The shape at each value, for who can't tell colours apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Up,
    /// ▼
    Down,
    /// ◆
    Diamond,
    /// Like a sandglass on its side.
    Bow,
}

const VERMILION: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(125, 125, 125);

/// After Okabe and Ito, whose colours also differ for the colour-blind. What is no lock service, but a floor or a
/// ceiling for one, is grey.
const KNOWN: [(&str, RGBColor, Marker, bool); 11] = [
    (GORILLA, VERMILION, Marker::Circle, false),
    ("webdis", RGBColor(0, 114, 178), Marker::Square, false),
    ("etcd", RGBColor(0, 158, 115), Marker::Up, false),
    ("etcd-leases", RGBColor(0, 158, 115), Marker::Up, true),
    ("dflockd", RGBColor(204, 121, 167), Marker::Diamond, false),
    ("redis-py", RGBColor(190, 140, 0), Marker::Down, false),
    ("redlock", RGBColor(86, 180, 233), Marker::Square, true),
    ("rslock", RGBColor(60, 40, 20), Marker::Up, true),
    ("axum", GREY, Marker::Circle, true),
    ("redis-benchmark", GREY, Marker::Diamond, true),
    ("redis-benchmark-pipelined", GREY, Marker::Bow, false),
];

/// For contestants that are not known, in their order.
const SPARE: [(RGBColor, Marker); 4] = [
    (RGBColor(120, 60, 160), Marker::Diamond),
    (RGBColor(110, 110, 0), Marker::Down),
    (RGBColor(150, 30, 60), Marker::Bow),
    (RGBColor(30, 80, 80), Marker::Square),
];

/// The look of one of these contestants.
pub fn of(name: &str, contestants: &[&str]) -> Look {
    if let Some(&(_, colour, marker, hollow)) = KNOWN.iter().find(|(known, ..)| *known == name) {
        return Look { colour, marker, hollow, width: if name == GORILLA { 6 } else { 3 } };
    }
    let mut unknown = contestants.iter().filter(|other| KNOWN.iter().all(|(known, ..)| known != *other));
    let position = unknown.position(|other| *other == name).unwrap_or(0);
    let (colour, marker) = SPARE[position % SPARE.len()];
    Look { colour, marker, hollow: position >= SPARE.len(), width: 3 }
}

impl Look {
    /// For words, which need more contrast than lines.
    pub fn ink(self) -> RGBColor {
        let RGBColor(red, green, blue) = self.colour;
        let darker = |part: u8| (u16::from(part) * 7 / 10) as u8;
        RGBColor(darker(red), darker(green), darker(blue))
    }

    /// For a second figure of the same contestant.
    pub fn second(self) -> Self {
        Self { hollow: true, width: 3, ..self }
    }

    /// For another workload of the same contestant.
    pub fn darker(self) -> Self {
        let RGBColor(red, green, blue) = self.colour;
        Self { colour: RGBColor(red / 2, green / 2, blue / 2), marker: Marker::Square, ..self }
    }
}

impl Marker {
    /// Its corners around the middle, for a radius of 1; none for a circle.
    pub fn corners(self) -> &'static [(f64, f64)] {
        match self {
            Self::Circle => &[],
            Self::Square => &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
            Self::Up => &[(0.0, -1.15), (1.05, 0.75), (-1.05, 0.75)],
            Self::Down => &[(0.0, 1.15), (1.05, -0.75), (-1.05, -0.75)],
            Self::Diamond => &[(0.0, -1.25), (1.05, 0.0), (0.0, 1.25), (-1.05, 0.0)],
            Self::Bow => &[(-1.1, -0.9), (1.1, 0.9), (1.1, -0.9), (-1.1, 0.9)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_contestants_look_alike() {
        let all = ["new-1", "webdis", "new-2", "new-3", "new-4", "new-5"];
        let names: Vec<&str> =
            KNOWN.iter().map(|(name, ..)| *name).chain(all.into_iter().filter(|name| *name != "webdis")).collect();
        for (index, name) in names.iter().enumerate() {
            for other in &names[..index] {
                assert_ne!(of(name, &all), of(other, &all), "{name} and {other}");
            }
        }
    }
}

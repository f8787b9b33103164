//! The names of figures, and their numbers as people read them: three significant digits, thousands set apart, and a
//! unit that fits.

use super::file::told;
use crate::results::Spread;

/// The heading of a figure, and whether the ratio of two such figures shows which contestant does better.
pub fn heading(name: &str) -> (&str, bool) {
    told().figures.iter().find(|known| known.name == name).map_or((name, false), |known| (&known.title, known.compared))
}

/// Whether a section shows a figure.
pub fn is_shown(section: &str, name: &str) -> bool {
    told().shown.get(section).is_none_or(|shown| shown.iter().any(|one| one == name))
}

/// The place of a figure in tables.
pub fn place(name: &str) -> usize {
    told().figures.iter().position(|known| known.name == name).unwrap_or(usize::MAX)
}

pub fn varied(workload: &str) -> &'static str {
    told().varied.get(workload).map_or("clients", String::as_str)
}

/// The size of a workload in words: `64 clients`.
pub fn at(workload: &str, at: u64) -> String {
    let varied = varied(workload);
    format!("{} {}", count(at), if at == 1 { varied.trim_end_matches('s') } else { varied })
}

/// What a figure counts, as the end of its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A time, kept in microseconds.
    Micros,
    /// A memory size, kept in bytes.
    Bytes,
    Percent,
    /// A number a second, or a number without a unit.
    Count,
}

impl Unit {
    pub fn of(figure: &str) -> Self {
        match figure {
            _ if figure.ends_with("_us") => Self::Micros,
            _ if figure.ends_with("percent") => Self::Percent,
            _ if figure.contains("bytes") => Self::Bytes,
            _ => Self::Count,
        }
    }

    /// A value with its unit: `1.25 ms`.
    pub fn say(self, value: f64) -> String {
        let (divisor, name) = self.scale(value);
        format!("{}{name}", digits(value / divisor, 3))
    }

    /// A value of an axis in the unit that fits `like`, without zeros at its end: `1 ms`.
    pub fn tick(self, value: f64, like: f64) -> String {
        let (divisor, name) = self.scale(like);
        let number = digits(value / divisor, 3);
        let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
        if value == 0.0 { "0".into() } else { format!("{number}{name}") }
    }

    /// The median and, in the same unit, the smallest and the largest value: `1.25 ms (0.98–1.40)`.
    pub fn spread(self, spread: Spread) -> String {
        let (divisor, _) = self.scale(spread.median);
        self.say(spread.median) + &range(spread, |value| digits(value / divisor, 3))
    }

    /// The unit that fits a value: its size and its name.
    pub fn scale(self, value: f64) -> (f64, &'static str) {
        const KIB: f64 = 1024.0;
        match self {
            // From these values on, three digits would round up to the next unit.
            Self::Micros if value < 999.5 => (1.0, " µs"),
            Self::Micros if value < 999.5e3 => (1e3, " ms"),
            Self::Micros => (1e6, " s"),
            Self::Bytes if value < KIB => (1.0, " B"),
            Self::Bytes if value < 999.5 * KIB => (KIB, " KiB"),
            Self::Bytes => (KIB * KIB, " MiB"),
            Self::Percent => (1.0, " %"),
            Self::Count => (1.0, ""),
        }
    }
}

/// A ratio with its spread: `1.31× (1.28–1.35)`. A small ratio has no digits, because its order of magnitude says
/// enough.
pub fn ratio(spread: Spread, significant: usize) -> String {
    let number = |value| if value < 0.01 { "<0.01".into() } else { digits(value, significant) };
    format!("{}×{}", number(spread.median), range(spread, number))
}

/// A whole number with all its digits: `1,000,000`.
pub fn count(value: u64) -> String {
    thousands(&value.to_string())
}

/// A value rounded to so many significant digits, or to a whole number.
fn digits(value: f64, significant: usize) -> String {
    // Rounds before it counts the places: 99.96 becomes 100, which has a place less behind the point.
    let rounded: f64 = format!("{value:.*e}", significant - 1).parse().unwrap_or(value);
    if rounded == 0.0 {
        return "0".into();
    }
    let before_the_point = rounded.abs().log10().floor() as i32 + 1;
    let places = usize::try_from(significant as i32 - before_the_point).unwrap_or(0);
    thousands(&format!("{rounded:.places$}"))
}

/// The smallest and the largest value in brackets, if they look different.
fn range(spread: Spread, number: impl Fn(f64) -> String) -> String {
    let (min, max) = (number(spread.min), number(spread.max));
    if min == max { String::new() } else { format!(" ({min}–{max})") }
}

fn thousands(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let groups = whole.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",") + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count_and_thousands_set_apart() {
        let said = [0.0, 0.012_345, 1.0, 9.996, 99.96, 999.6, 12_345.6].map(|value| digits(value, 3));
        assert_eq!(said, ["0", "0.0123", "1.00", "10.0", "100", "1,000", "12,300"]);
        assert_eq!([100, 1_000_000].map(count), ["100", "1,000,000"]);
    }

    #[test]
    fn a_unit_fits_the_median_and_the_spread_keeps_to_it() {
        let spread = Spread { min: 790.0, median: 1_250.0, max: 14_000.0, rounds: 3 };
        assert_eq!(Unit::of("p99_us").spread(spread), "1.25 ms (0.790–14.0)");
        assert_eq!(Unit::of("redis_bytes_per_lock").spread(spread), "1.22 KiB (0.771–13.7)");
        assert_eq!(Unit::of("load_busy_percent").say(61.0), "61.0 %");
        assert_eq!(Unit::of("cycles_per_s").spread(spread), "1,250 (790–14,000)");
        assert_eq!([999.6, 2_500_000.0].map(|value| Unit::Micros.say(value)), ["1.00 ms", "2.50 s"]);
    }
}

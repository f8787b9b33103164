//! Numbers as people read them: three digits that count, thousands set apart, a unit that fits.

use super::spread::Spread;

/// What a figure counts, as the end of its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A time, kept in microseconds.
    Micros,
    /// A memory size, kept in bytes.
    Bytes,
    /// Percent of one core.
    Percent,
    /// How many in a second, or a number without a unit.
    Count,
}

impl Unit {
    /// Of the figure with this name.
    pub fn of(figure: &str) -> Self {
        if figure.ends_with("_us") {
            Self::Micros
        } else if figure.ends_with("percent") {
            Self::Percent
        } else if figure.contains("bytes") {
            Self::Bytes
        } else {
            Self::Count
        }
    }

    /// One value with its unit: `1.25 ms`.
    pub fn say(self, value: f64) -> String {
        let (divisor, name) = self.scale(value);
        format!("{}{name}", digits(value / divisor, 3))
    }

    /// How much the unit is that fits a value.
    pub fn grain(self, value: f64) -> f64 {
        self.scale(value).0
    }

    /// A value of an axis in the unit that fits `like`, without zeros that only fill up: `1 ms`.
    pub fn tick(self, value: f64, like: f64) -> String {
        if value == 0.0 {
            return "0".into();
        }
        let (divisor, name) = self.scale(like);
        let number = digits(value / divisor, 3);
        let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
        format!("{number}{name}")
    }

    /// The median and, in the same unit, smallest and largest: `1.25 ms (0.98–1.40)`.
    pub fn spread(self, spread: Spread) -> String {
        let (divisor, _) = self.scale(spread.median);
        self.say(spread.median) + &range(spread, |value| digits(value / divisor, 3))
    }

    fn scale(self, value: f64) -> (f64, &'static str) {
        const KIB: f64 = 1024.0;
        let size = value.abs();
        match self {
            // From where three digits would round up to the next unit.
            Self::Micros if size < 999.5 => (1.0, " µs"),
            Self::Micros if size < 999.5e3 => (1e3, " ms"),
            Self::Micros => (1e6, " s"),
            Self::Bytes if size < 10.0 * KIB => (1.0, " B"),
            Self::Bytes if size < 999.5 * KIB => (KIB, " KiB"),
            Self::Bytes => (KIB * KIB, " MiB"),
            Self::Percent => (1.0, " %"),
            Self::Count => (1.0, ""),
        }
    }
}

/// A ratio with its spread: `1.31× (1.28–1.35)`. Digits of a small one say nothing that its order of magnitude doesn't.
pub fn ratio(spread: Spread, significant: usize) -> String {
    let number = |value| if value < 0.01 { "<0.01".into() } else { digits(value, significant) };
    format!("{}×{}", number(spread.median), range(spread, number))
}

/// A whole number with all its digits: `1,000,000`.
pub fn count(value: u64) -> String {
    thousands(&value.to_string())
}

/// Rounded to so many digits that count, or to a whole number.
pub fn digits(value: f64, significant: usize) -> String {
    // Rounded before the places are counted: 99.96 has one place less than it seems.
    let rounded: f64 = format!("{value:.*e}", significant.saturating_sub(1)).parse().unwrap_or(value);
    let before_the_point = if rounded == 0.0 { return "0".into() } else { rounded.abs().log10().floor() as i32 + 1 };
    let places = usize::try_from(significant as i32 - before_the_point).unwrap_or(0);
    thousands(&format!("{rounded:.places$}"))
}

/// Smallest and largest in brackets, if they look different from each other.
fn range(spread: Spread, number: impl Fn(f64) -> String) -> String {
    let (min, max) = (number(spread.min), number(spread.max));
    if min == max { String::new() } else { format!(" ({min}–{max})") }
}

fn thousands(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        let left = whole.len() - position;
        if left.is_multiple_of(3) && grouped.ends_with(|before: char| before.is_ascii_digit()) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count_and_thousands_set_apart() {
        for (value, expected) in [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (1.0, "1.00"),
            (9.996, "10.0"),
            (99.96, "100"),
            (999.6, "1,000"),
            (12_345.6, "12,300"),
            (-1_234_567.0, "-1,230,000"),
            (-123.0, "-123"),
        ] {
            assert_eq!(digits(value, 3), expected, "{value}");
        }
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(count(100), "100");
    }

    #[test]
    fn a_unit_fits_the_median_and_the_spread_keeps_to_it() {
        let spread = Spread { min: 790.0, median: 1_250.0, max: 14_000.0, rounds: 3 };
        assert_eq!(Unit::of("p99_us").spread(spread), "1.25 ms (0.790–14.0)");
        assert_eq!(Unit::of("bytes_per_waiter").spread(spread), "1,250 B (790–14,000)");
        assert_eq!(Unit::of("redis_bytes_per_lock_without_fence"), Unit::Bytes);
        assert_eq!(Unit::of("load_busy_percent").say(61.0), "61.0 %");
        assert_eq!(Unit::of("cycles_per_s").spread(spread), "1,250 (790–14,000)");
        assert_eq!(Unit::Micros.say(999.6), "1.00 ms");
        assert_eq!(Unit::Micros.say(2_500_000.0), "2.50 s");
        assert_eq!(Unit::Bytes.say(27.0 * 1024.0), "27.0 KiB");
    }

    #[test]
    fn rounds_that_look_alike_have_no_brackets() {
        let spread = Spread { min: 1.301, median: 1.302, max: 1.304, rounds: 3 };
        assert_eq!(ratio(spread, 3), "1.30×");
        assert_eq!(ratio(spread, 4), "1.302× (1.301–1.304)");
        let spread = Spread { min: 0.000_4, median: 0.003, max: 0.02, rounds: 3 };
        assert_eq!(ratio(spread, 3), "<0.01× (<0.01–0.0200)");
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!(Unit::Micros.tick(2_000.0, 2_000.0), "2 ms");
        assert_eq!(Unit::Micros.tick(500.0, 1_500.0), "0.5 ms");
        assert_eq!(Unit::Count.tick(100_000.0, 1.0), "100,000");
        assert_eq!(Unit::Bytes.tick(0.0, 1.0), "0");
    }
}

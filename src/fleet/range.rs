//! How far back a person wants to look.

use std::{str::FromStr, time::Duration};

/// From a minute to an hour, up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range(Duration);

/// The longest.
const LONGEST: u64 = 3600;
const SHORTEST: u64 = 60;
/// The most steps of a series.
const MOST_STEPS: u64 = 180;
/// A step is a multiple of this, because each replica tells of itself as often.
const BEAT: u64 = 5;

impl Range {
    /// The longest range.
    pub const LONGEST: Self = Self(Duration::from_secs(LONGEST));

    /// In seconds.
    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    /// In milliseconds.
    pub fn millis(self) -> i64 {
        self.0.as_millis() as i64
    }

    /// From one point of its series to the next, in seconds.
    pub fn step(self) -> u64 {
        self.seconds().div_ceil(MOST_STEPS).next_multiple_of(BEAT)
    }
}

impl Default for Range {
    fn default() -> Self {
        Self(Duration::from_secs(15 * 60))
    }
}

impl FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "must be from 1m to 1h, as a whole number with s, m or h behind it";
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(RULE)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(RULE),
        };
        let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let seconds = number.and_then(|number| number.parse::<u64>().ok()?.checked_mul(unit));
        let seconds = seconds.filter(|seconds| (SHORTEST..=LONGEST).contains(seconds)).ok_or(RULE)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_from_a_minute_to_an_hour() {
        for (text, seconds, step) in [("60s", 60, 5), ("15m", 900, 5), ("1h", 3600, 20), ("16m", 960, 10)] {
            let range: Range = text.parse().expect("a range");
            assert_eq!((range.seconds(), range.step()), (seconds, step), "{text}");
            assert!(range.seconds() / range.step() <= MOST_STEPS);
        }
        for wrong in
            ["", "m", "59s", "61m", "2h", "15", "15 m", "+15m", "-1m", "1.5m", "15M", "99999999999999999999h", "1é"]
        {
            assert!(wrong.parse::<Range>().is_err(), "{wrong:?}");
        }
    }
}

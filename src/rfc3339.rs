//! Times as RFC 3339 text in UTC, as chrono writes them.
//!
//! The calendar is chrono's. Its formatting is made for any format, and a request has four times to tell, so the digits are
//! written here.

use std::str;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Serialize, Serializer};

/// Of the last year with four digits, with microseconds.
const LENGTH: usize = "9999-12-31T23:59:59.999999Z".len();

/// A time as text.
pub struct Rfc3339(Text);

enum Text {
    Usual([u8; LENGTH], usize),
    /// Of a year that hasn't four digits.
    Far(String),
}

impl Rfc3339 {
    /// Of milliseconds since 1970, told to the millisecond. Empty where the calendar ends.
    pub fn from_millis(since_1970: i64) -> Self {
        Self::new(DateTime::from_timestamp_millis(since_1970), SecondsFormat::Millis)
    }

    /// To the microsecond.
    pub fn to_micros(time: DateTime<Utc>) -> Self {
        Self::new(Some(time), SecondsFormat::Micros)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Digits and what stands between them.
            Text::Usual(text, length) => str::from_utf8(&text[..*length]).unwrap_or_default(),
            Text::Far(text) => text,
        }
    }

    fn new(time: Option<DateTime<Utc>>, precision: SecondsFormat) -> Self {
        let Some(time) = time else { return Self(Text::Far(String::new())) };
        let Some(year) = u32::try_from(time.year()).ok().filter(|year| *year <= 9999) else {
            return Self(Text::Far(time.to_rfc3339_opts(precision, true)));
        };
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put(&mut text[0..4], year);
        put(&mut text[5..7], time.month());
        put(&mut text[8..10], time.day());
        put(&mut text[11..13], time.hour());
        put(&mut text[14..16], time.minute());
        put(&mut text[17..19], time.second());
        put(&mut text[20..26], time.nanosecond() / 1_000);
        if precision == SecondsFormat::Micros {
            return Self(Text::Usual(text, LENGTH));
        }
        text[23] = b'Z';
        Self(Text::Usual(text, 24))
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Writes a number into as many digits as there is room for.
fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn beyond_the_calendar_there_is_no_text() {
        assert_eq!(Rfc3339::from_millis(i64::MAX).as_str(), "");
    }

    proptest! {
        #[test]
        fn a_time_is_told_as_chrono_tells_it(
            // Within four digits of the year, and up to the ends of the calendar.
            since_1970 in prop_oneof![-62_167_219_200_000_000..253_402_300_800_000_000i64, -8_000_000_000_000_000_000..8_000_000_000_000_000_000i64],
        ) {
            let time = DateTime::from_timestamp_micros(since_1970).expect("within the calendar");
            let (millis, micros) = (Rfc3339::from_millis(since_1970.div_euclid(1000)), Rfc3339::to_micros(time));
            prop_assert_eq!(millis.as_str(), time.to_rfc3339_opts(SecondsFormat::Millis, true));
            prop_assert_eq!(micros.as_str(), time.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }
}

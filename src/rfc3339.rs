//! Times as RFC 3339 text in UTC, which humantime writes.

use std::{
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use humantime::{Rfc3339Timestamp, format_rfc3339_micros, format_rfc3339_millis, format_rfc3339_seconds};

/// A time as text. The text is empty for times before 1970 and after the year 9999, which humantime can't write.
pub struct Rfc3339(String);

impl Rfc3339 {
    /// A time in milliseconds since 1970, told to the millisecond.
    pub fn from_millis(since_1970: i64) -> Self {
        let since_1970 = u64::try_from(since_1970).ok().map(Duration::from_millis);
        let time = since_1970.and_then(|since_1970| UNIX_EPOCH.checked_add(since_1970));
        Self::new(time.map(format_rfc3339_millis))
    }

    /// A time of Redis, told to the millisecond.
    pub fn of(at: DateTime<Utc>) -> Self {
        Self::from_millis(at.timestamp_millis())
    }

    /// A time told to the microsecond.
    pub fn to_micros(time: SystemTime) -> Self {
        // humantime panics where the time is before 1970.
        Self::new((time >= UNIX_EPOCH).then(|| format_rfc3339_micros(time)))
    }

    /// A time told to the millisecond.
    pub fn to_millis(time: SystemTime) -> Self {
        // humantime panics where the time is before 1970.
        Self::new((time >= UNIX_EPOCH).then(|| format_rfc3339_millis(time)))
    }

    /// A time told to the second.
    pub fn to_seconds(time: SystemTime) -> Self {
        // humantime panics where the time is before 1970.
        Self::new((time >= UNIX_EPOCH).then(|| format_rfc3339_seconds(time)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(time: Option<Rfc3339Timestamp>) -> Self {
        let mut text = String::new();
        if let Some(time) = time {
            // Fails, before it has written anything, for a year with five digits.
            let _ = write!(text, "{time}");
        }
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    /// The first millisecond of the year 10000.
    const YEAR_10000: i64 = 253_402_300_800_000;

    #[test]
    fn a_time_before_1970_or_after_9999_has_no_text() {
        for millis in [i64::MIN, -1, YEAR_10000, i64::MAX] {
            assert_eq!(Rfc3339::from_millis(millis).as_str(), "");
        }
        assert_eq!(Rfc3339::to_micros(UNIX_EPOCH - Duration::from_micros(1)).as_str(), "");
    }

    proptest! {
        #[test]
        fn a_time_is_told_as_chrono_tells_it(micros in 0..1000 * YEAR_10000) {
            let chronos = DateTime::from_timestamp_micros(micros).expect("within the calendar");
            let ours = Rfc3339::to_micros(UNIX_EPOCH + Duration::from_micros(micros as u64));
            prop_assert_eq!(ours.as_str(), chronos.to_rfc3339_opts(SecondsFormat::Micros, true));
            let ours = Rfc3339::to_seconds(UNIX_EPOCH + Duration::from_micros(micros as u64));
            prop_assert_eq!(ours.as_str(), chronos.to_rfc3339_opts(SecondsFormat::Secs, true));
            let ours = Rfc3339::from_millis(micros / 1000);
            prop_assert_eq!(ours.as_str(), chronos.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
    }
}

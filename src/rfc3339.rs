//! Times as RFC 3339 text in UTC. humantime writes the seconds. The times of a request are of the same few seconds as
//! those of the request before, so their text is kept: to write it anew takes 400 instructions more for each time.

use std::{
    cell::RefCell,
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use humantime::format_rfc3339_seconds;

/// How many seconds are kept. A prime number, because each second has its place, and now and the end of a lease should
/// have two.
const KEPT: u64 = 7;

thread_local! {
    /// Seconds since 1970 with their text, which is empty if humantime can't write it.
    static SECONDS: RefCell<[(u64, String); KEPT as usize]> = RefCell::default();
}

/// In bytes: a time told to the microsecond.
const LONGEST: usize = 27;

/// A time as text. The text is empty for times before 1970 and after the year 9999, which humantime can't write.
pub struct Rfc3339(String);

impl Rfc3339 {
    /// A time in milliseconds since 1970, told to the millisecond.
    pub fn from_millis(since_1970: i64) -> Self {
        Self::new(u64::try_from(since_1970).ok().map(Duration::from_millis), 3)
    }

    /// A time of Redis, told to the millisecond.
    pub fn of(at: DateTime<Utc>) -> Self {
        Self::from_millis(at.timestamp_millis())
    }

    /// A time told to the microsecond.
    pub fn to_micros(time: SystemTime) -> Self {
        Self::new(time.duration_since(UNIX_EPOCH).ok(), 6)
    }

    /// A time told to the millisecond.
    pub fn to_millis(time: SystemTime) -> Self {
        Self::new(time.duration_since(UNIX_EPOCH).ok(), 3)
    }

    /// A time told to the second.
    pub fn to_seconds(time: SystemTime) -> Self {
        Self::new(time.duration_since(UNIX_EPOCH).ok(), 0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A time since 1970 with so many digits of a second.
    fn new(since_1970: Option<Duration>, digits: u32) -> Self {
        let mut text = String::with_capacity(LONGEST);
        if let Some(time) = since_1970 {
            push_seconds(&mut text, time.as_secs());
            if !text.is_empty() {
                push_fraction(&mut text, time.subsec_nanos(), digits);
                text.push('Z');
            }
        }
        Self(text)
    }
}

/// Adds date and time of day, without anything behind the seconds.
fn push_seconds(text: &mut String, since_1970: u64) {
    SECONDS.with_borrow_mut(|kept| {
        let (told, known) = &mut kept[(since_1970 % KEPT) as usize];
        if *told != since_1970 || known.is_empty() {
            *told = since_1970;
            *known = seconds_text(since_1970).unwrap_or_default();
        }
        text.push_str(known);
    });
}

/// Nothing for a year with five digits.
fn seconds_text(since_1970: u64) -> Option<String> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(since_1970))?;
    let mut text = String::new();
    write!(text, "{}", format_rfc3339_seconds(time)).ok()?;
    text.strip_suffix('Z').map(String::from)
}

/// Adds so many digits of a second, if there are any.
fn push_fraction(text: &mut String, nanos: u32, digits: u32) {
    if digits > 0 {
        let fraction = nanos / 10_u32.pow(9 - digits);
        // The 1 in front keeps the zeros that a fraction begins with.
        let mut number = itoa::Buffer::new();
        text.push('.');
        text.push_str(&number.format(10_u32.pow(digits) + fraction)[1..]);
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

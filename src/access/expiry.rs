//! When the keys of an identity stop to be valid, as people write it.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, NaiveTime};

/// What is allowed, to follow "must be".
pub const RULE: &str = "a time with its offset, such as 2027-06-01T00:00:00Z, or a date, such as 2027-06-01";

/// The first moment of the year 10000, which RFC 3339 can't write, in seconds since 1970.
const YEAR_10000: u64 = 253_402_300_800;

/// Reads a time of RFC 3339, or a date, which means its first moment in UTC. Nothing if it is neither, or before 1970.
pub fn parse(text: &str) -> Option<SystemTime> {
    let date = || {
        let date = text.parse::<NaiveDate>().ok()?;
        // The parser also takes dates of other lengths.
        (text.len() == 10).then(|| date.and_time(NaiveTime::MIN).and_utc())
    };
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).or_else(date)?;
    let since_1970 = u64::try_from(time.timestamp()).ok().filter(|&seconds| seconds < YEAR_10000)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_an_offset_and_a_date_means_its_first_moment() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_811_808_000);
        for text in ["2027-06-01", "2027-06-01T00:00:00Z", "2027-06-01T02:00:00+02:00", "2027-05-31T23:30:00.9-00:30"] {
            assert_eq!(parse(text), Some(moment), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let wrong = ["", "tomorrow", "2027-06-01T00:00:00", "2027-06", "2027-6-1", "2027-02-29", " 2027-06-01"];
        let far = ["1969-12-31", "10000-01-01", "+10000-01-01", "-2027-06-01", "1970-01-01T00:00:00+01:00"];
        for text in wrong.into_iter().chain(far) {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}

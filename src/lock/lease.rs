//! How long a grant lasts.

use std::time::Duration;

use super::{Invalid, seconds};

/// A whole number of milliseconds, from 100 to what the settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease(u64);

impl Lease {
    /// The shortest lease.
    pub const SHORTEST: Duration = Duration::from_millis(100);

    /// Reads the JSON value of `timeout`, or its absence: seconds, as a number or a numeric string, rounded to the
    /// nearest millisecond.
    pub fn parse(raw: Option<&str>, longest: Duration) -> Result<Self, Invalid> {
        let refuse = |problem: String| {
            let longest = longest.as_secs_f64();
            let rule = format!(
                "a number of seconds from 0.1 to {longest}, such as 30, 0.5 or \"30\"; there is no endless lock"
            );
            Invalid::new("timeout", format!("{problem}; it must be {rule}"))
        };
        let raw = raw.ok_or_else(|| refuse("is missing".into()))?;
        let milliseconds = seconds::milliseconds(raw).map_err(refuse)?;
        let text = raw.trim_matches('"');
        if milliseconds < Self::SHORTEST.as_millis() as f64 {
            return Err(refuse(format!("is {text}, which is too short")));
        }
        if milliseconds > longest.as_millis() as f64 {
            return Err(refuse(format!("is {text}, which is too long")));
        }
        Ok(Self(milliseconds as u64))
    }

    /// The length in milliseconds.
    pub fn as_millis(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Option<u64> {
        Lease::parse(Some(raw), Duration::from_secs(86_400)).ok().map(Lease::as_millis)
    }

    #[test]
    fn seconds_are_numbers_or_numeric_strings_down_to_a_millisecond() {
        for (raw, expected) in [
            ("10", Some(10_000)),
            ("\"10\"", Some(10_000)),
            ("0.1", Some(100)),
            ("0.1004", Some(100)),
            ("1.2345", Some(1235)),
            ("1e1", Some(10_000)),
            ("86400", Some(86_400_000)),
            ("86400.001", None),
            ("0.05", None),
            ("0", None),
            ("-1", None),
            ("1e308", None),
            ("1e999", None),
            ("\"abc\"", None),
            ("\"\"", None),
            ("\"NaN\"", None),
            ("\"inf\"", None),
            ("\" 10\"", None),
            ("null", None),
            ("true", None),
            ("[10]", None),
        ] {
            assert_eq!(parse(raw), expected, "{raw}");
        }
    }
}

//! How long an acquire may wait.

use std::time::Duration;

use super::{Invalid, seconds};

/// Reads the JSON value of `wait`, or its absence, which is no wait: seconds, as a number or a numeric string, rounded to
/// the nearest millisecond.
pub fn parse(raw: Option<&str>, longest: Duration) -> Result<Duration, Invalid> {
    let Some(raw) = raw.filter(|&raw| raw != "null") else { return Ok(Duration::ZERO) };
    let refuse = |problem: String| {
        let longest = longest.as_secs_f64();
        let rule = format!("a number of seconds from 0 to {longest}, such as 10, 0.5 or \"10\"");
        let hint = "; to wait longer, send the request again with the same Idempotency-Key, which keeps its place";
        Invalid::new("wait", format!("{problem}; it must be {rule}{hint}"))
    };
    let milliseconds = seconds::milliseconds(raw).map_err(refuse)?;
    if milliseconds < 0.0 || raw.trim_matches('"').starts_with('-') {
        return Err(refuse(format!("is {raw}, and must not be negative")));
    }
    if milliseconds > longest.as_millis() as f64 {
        return Err(refuse(format!("is {raw}, which is too long")));
    }
    Ok(Duration::from_millis(milliseconds as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_down_to_a_millisecond_and_optional() {
        let parse = |raw| parse(raw, Duration::from_secs(60)).ok().map(|wait| wait.as_millis());
        for (raw, expected) in [
            (None, Some(0)),
            (Some("null"), Some(0)),
            (Some("0"), Some(0)),
            (Some("\"1.5\""), Some(1500)),
            (Some("0.0004"), Some(0)),
            (Some("60"), Some(60_000)),
            (Some("60.001"), None),
            (Some("-1"), None),
            (Some("1e999"), None),
            (Some("true"), None),
            (Some("\"\""), None),
        ] {
            assert_eq!(parse(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_wait_below_zero_is_refused_in_words_that_say_so() {
        let refused = parse(Some("-1"), Duration::from_secs(60)).expect_err("it is refused");
        assert!(refused.to_string().starts_with("wait is -1, and must not be negative; "), "{refused:?}");
    }
}

//! Reads the fields of bodies: JSON into values of the domain.

use std::{borrow::Cow, ops::RangeInclusive, time::Duration};

use gorilla_domain::{Lease, Metadata, Mode, Owner, Permits, Replaces, ResourceName, Share};
use serde_json::{Value, value::RawValue};

use super::{
    invalid::Invalid,
    seconds::{json_kind, milliseconds},
};

/// The deepest nesting of metadata, the list itself included: common parsers give up at about 128.
const DEEPEST: usize = 64;
/// The longest reason of a break, in bytes.
const LONGEST_REASON: usize = 256;

/// A field as it was sent, if it was sent.
type Raw<'a> = Option<&'a RawValue>;

/// Reads `owner`.
pub fn owner(raw: Raw) -> Result<Owner, Invalid> {
    let refuse = |problem: String| Invalid::new("owner", format!("{problem}; it must be {}", Owner::rule()));
    let raw = raw.map(RawValue::get).ok_or_else(|| refuse("is missing".into()))?;
    if !raw.starts_with('"') {
        return Err(refuse(format!("is {}", json_kind(raw))));
    }
    let owner = serde_json::from_str(raw).map_err(|_| refuse("is not valid Unicode".into()))?;
    Owner::new(owner).map_err(|rule| Invalid::new("owner", rule))
}

/// Reads `timeout`: seconds, as a number or a numeric string, rounded to the nearest millisecond.
pub fn lease(raw: Raw, longest: Duration) -> Result<Lease, Invalid> {
    let refuse = |problem: String| {
        let longest = longest.as_secs_f64();
        let rule =
            format!("a number of seconds from 0.1 to {longest}, such as 30, 0.5 or \"30\"; there is no endless lock");
        Invalid::new("timeout", format!("{problem}; it must be {rule}"))
    };
    let raw = raw.map(RawValue::get).ok_or_else(|| refuse("is missing".into()))?;
    let length = milliseconds(raw).map_err(refuse)?;
    Lease::from_millis(length, longest).map_err(|rule| refuse(format!("is {}, which {rule}", raw.trim_matches('"'))))
}

/// Reads `wait`: seconds, as a number or a numeric string, rounded to the nearest millisecond; 0 if it is missing.
pub fn wait(raw: Raw, longest: Duration) -> Result<Duration, Invalid> {
    let hint = "; to wait longer, send the request again with the same Idempotency-Key, which keeps its place";
    given(raw).map_or(Ok(Duration::ZERO), |raw| from_zero("wait", raw, longest, hint))
}

/// Reads `headstart`: seconds as in `wait`; 0 if it is missing.
pub fn headstart(raw: Raw, longest: Duration) -> Result<Duration, Invalid> {
    given(raw).map_or(Ok(Duration::ZERO), |raw| from_zero("headstart", raw, longest, ""))
}

/// Reads `replaces`; `None` if it is missing.
pub fn replaces(raw: Raw) -> Result<Option<Replaces>, Invalid> {
    let Some(raw) = given(raw) else { return Ok(None) };
    let refuse = |problem: String| Invalid::new("replaces", format!("{problem}; it must be {}", Replaces::rule()));
    if !raw.starts_with('"') {
        return Err(refuse(format!("is {}", json_kind(raw))));
    }
    let text = serde_json::from_str(raw).map_err(|_| refuse("is not valid Unicode".into()))?;
    Replaces::new(text).map(Some).map_err(|rule| Invalid::new("replaces", rule))
}

/// Reads the `grace` of a break: seconds as in `wait`; 0 if it is missing.
pub fn grace(raw: Raw, longest: Duration) -> Result<Duration, Invalid> {
    given(raw).map_or(Ok(Duration::ZERO), |raw| from_zero("grace", raw, longest, ""))
}

/// Reads the parameter `after` of a release: seconds as in `wait`, without quotes; 0 if it is missing.
pub fn after(text: Option<&str>, longest: Duration) -> Result<Duration, Invalid> {
    text.map_or(Ok(Duration::ZERO), |text| from_zero("after", &quoted(text), longest, ""))
}

/// Reads the parameter `wait` of a query: seconds as in `wait`, without quotes.
pub fn wait_in_query(text: Option<&str>, longest: Duration) -> Result<Option<Duration>, Invalid> {
    text.map(|text| from_zero("wait", &quoted(text), longest, "")).transpose()
}

/// Reads a whole number in a query.
pub fn whole_in_query(
    field: &'static str,
    text: Option<&str>,
    range: RangeInclusive<usize>,
) -> Result<Option<usize>, Invalid> {
    let Some(text) = text else { return Ok(None) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    let rule = || format!("must be a whole number from {} to {}", range.start(), range.end());
    number.map(Some).ok_or_else(|| Invalid::new(field, rule()))
}

/// Reads the parameter `prefix` of a query; empty if it is missing.
pub fn prefix_in_query(text: Option<Cow<str>>) -> Result<String, Invalid> {
    let prefix = text.unwrap_or_default().into_owned();
    match prefix.len() > ResourceName::LONGEST {
        true => Err(Invalid::new("prefix", format!("must be at most {} bytes", ResourceName::LONGEST))),
        false => Ok(prefix),
    }
}

/// A text of a query as a string of JSON, which seconds can be read from.
fn quoted(text: &str) -> String {
    if text.contains('"') { "\"\"".into() } else { format!("\"{text}\"") }
}

/// Reads seconds from 0 on: a number or a numeric string, rounded to the nearest millisecond.
fn from_zero(field: &'static str, raw: &str, longest: Duration, hint: &str) -> Result<Duration, Invalid> {
    let refuse = |problem: String| {
        let longest = longest.as_secs_f64();
        let rule = format!("a number of seconds from 0 to {longest}, such as 10, 0.5 or \"10\"");
        Invalid::new(field, format!("{problem}; it must be {rule}{hint}"))
    };
    let milliseconds = milliseconds(raw).map_err(refuse)?;
    if milliseconds < 0.0 || raw.trim_matches('"').starts_with('-') {
        return Err(refuse(format!("is {raw}, and must not be negative")));
    }
    if milliseconds > longest.as_millis() as f64 {
        return Err(refuse(format!("is {raw}, which is too long")));
    }
    Ok(Duration::from_millis(milliseconds as u64))
}

/// Reads `metadata`, any JSON value or its absence: a list as it is, nothing or null as the empty list, anything else
/// as the only element of a list. The text is kept as it was sent, so that keys, numbers and nesting come back
/// unchanged. Only the white space between its parts is left out, so that a request which is written anew is the same
/// request.
pub fn metadata(raw: Raw) -> Result<Metadata, Invalid> {
    let refuse = |rule| Invalid::new("metadata", rule);
    let list = match raw.map(RawValue::get) {
        None | Some("null") => return Metadata::new("[]").map_err(refuse),
        Some(list) if list.starts_with('[') => list.to_string(),
        Some(other) => format!("[{other}]"),
    };
    let (list, depth) = compact(&list);
    let metadata = Metadata::new(list).map_err(refuse)?;
    if depth > DEEPEST {
        return Err(Invalid::new("metadata", format!("is nested {depth} deep; it must be at most {DEEPEST} deep")));
    }
    // Gorilla would return such a text as it is. But a client that reads a list of locks with a common parser, as the
    // commands of Gorilla do, could then read none of them.
    if serde_json::from_str::<Value>(metadata.as_str()).is_err() {
        let why = "has a number beyond the range of a double, or half of a surrogate pair, which common parsers refuse";
        return Err(Invalid::new("metadata", why));
    }
    Ok(metadata)
}

/// Reads the `rotate` of an extend: whether the token is replaced, as it is without the field.
pub fn rotate(raw: Raw) -> Result<bool, Invalid> {
    Ok(boolean("rotate", raw)?.unwrap_or(true))
}

/// Reads the `brief` of a batch; false without the field.
pub fn brief(raw: Raw) -> Result<bool, Invalid> {
    Ok(boolean("brief", raw)?.unwrap_or(false))
}

fn boolean(field: &'static str, raw: Raw) -> Result<Option<bool>, Invalid> {
    match given(raw) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(Invalid::new(field, format!("is {other}; it must be true or false"))),
    }
}

/// Reads `mode`, `limit` and `permits`; `None` if the request has no mode.
pub fn mode(mode: Raw, limit: Raw, permits: Raw) -> Result<Option<Mode>, Invalid> {
    let number = |field, raw| match given(raw) {
        None => Ok(None),
        Some(raw) => {
            let number = raw.parse().ok().and_then(|number| Permits::new(number).ok());
            let rule = || format!("is {raw}; it must be a whole number from 1 to {}", Permits::MOST);
            number.map(Some).ok_or_else(|| Invalid::new(field, rule()))
        }
    };
    let (limit, permits) = (number("limit", limit)?, number("permits", permits)?);
    let mode = match given(mode) {
        None => None,
        Some("\"exclusive\"") => Some(Mode::Exclusive),
        Some("\"shared\"") => {
            if permits.is_some() && limit.is_none() {
                return Err(Invalid::new("permits", "needs a limit, of which the lock takes so many permits"));
            }
            if let (Some(permits), Some(limit)) = (permits, limit)
                && permits > limit
            {
                let rule =
                    format!("is {}, and must not be more than the limit, which is {}", permits.get(), limit.get());
                return Err(Invalid::new("permits", rule));
            }
            return Ok(Some(Mode::Shared(Share { permits: permits.unwrap_or(Permits::ONE), limit })));
        }
        Some(other) => {
            let rule = format!("is {other}; it must be \"exclusive\" or \"shared\"");
            return Err(Invalid::new("mode", rule));
        }
    };
    let needs_shared =
        |field| Invalid::new(field, "needs \"mode\": \"shared\", because an exclusive lock has one holder");
    match (limit, permits) {
        (Some(_), _) => Err(needs_shared("limit")),
        (_, Some(_)) => Err(needs_shared("permits")),
        (None, None) => Ok(mode),
    }
}

/// A share as a part of a fingerprint.
pub fn share(share: Share) -> [String; 3] {
    let limit = share.limit.map(|limit| limit.get().to_string()).unwrap_or_default();
    ["shared".into(), share.permits.get().to_string(), limit]
}

/// Reads the `limit` that is to be pinned.
pub fn pinned(raw: Raw) -> Result<Permits, Invalid> {
    let rule = || format!("must be a whole number of permits from 1 to {}", Permits::MOST);
    let number = given(raw).and_then(|raw| raw.parse().ok()).and_then(|number| Permits::new(number).ok());
    number.ok_or_else(|| Invalid::new("limit", rule()))
}

/// Reads the `fence` of a break.
pub fn fence(raw: Raw) -> Result<Option<u64>, Invalid> {
    let Some(raw) = given(raw) else { return Ok(None) };
    let fence = raw.parse().ok().filter(|fence| (1..1 << 53).contains(fence));
    let rule = "must be the fence of the grant to end: a whole number from 1 below 2^53";
    fence.map(Some).ok_or_else(|| Invalid::new("fence", rule))
}

/// Reads the `reason` of a break.
pub fn reason(raw: Raw) -> Result<Option<String>, Invalid> {
    let Some(raw) = given(raw) else { return Ok(None) };
    let reason = serde_json::from_str::<String>(raw).ok().filter(|reason| reason.len() <= LONGEST_REASON);
    let rule = || format!("must be a string of at most {LONGEST_REASON} bytes");
    reason.map(Some).ok_or_else(|| Invalid::new("reason", rule()))
}

/// A field that may be missing or null.
fn given(raw: Raw<'_>) -> Option<&str> {
    raw.map(RawValue::get).filter(|raw| *raw != "null")
}

/// Valid JSON without the white space between its parts, and how deep lists and objects are nested in it.
fn compact(json: &str) -> (String, usize) {
    let mut kept = String::with_capacity(json.len());
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for character in json.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            ' ' | '\t' | '\n' | '\r' => continue,
            '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        kept.push(character);
    }
    (kept, deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).expect("JSON")
    }

    #[test]
    fn seconds_are_numbers_or_numeric_strings_down_to_a_millisecond() {
        for (json, expected) in [
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
            let read = lease(Some(&raw(json)), Duration::from_secs(86_400)).ok().map(Lease::as_millis);
            assert_eq!(read, expected, "{json}");
        }
    }

    #[test]
    fn a_wait_is_seconds_down_to_a_millisecond_and_optional() {
        for (json, expected) in [
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
            let json = json.map(raw);
            let read = wait(json.as_deref(), Duration::from_secs(60)).ok().map(|wait| wait.as_millis());
            assert_eq!(read, expected, "{json:?}");
        }
    }

    #[test]
    fn a_wait_below_zero_is_refused_in_words_that_say_so() {
        let refused = wait(Some(&raw("-1")), Duration::from_secs(60)).expect_err("it is refused");
        assert!(refused.to_string().starts_with("wait is -1, and must not be negative; "), "{refused:?}");
    }

    #[test]
    fn what_common_parsers_refuse_is_refused() {
        for json in ["1e400", r#""\ud800""#, r#"{"a":[-1e999]}"#, r#"["\udc00\ud800"]"#] {
            assert!(metadata(Some(&raw(json))).is_err(), "{json}");
        }
        for json in ["1e308", "12345678901234567890123456789", r#""\ud83e\udd8d""#, "0.1000", r#"{"a":1,"a":2}"#] {
            let kept = metadata(Some(&raw(json))).expect("it is taken");
            assert_eq!(kept.as_str(), format!("[{json}]"));
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (json, expected) in [("1", 0), ("[]", 1), (r#"[{"a":[]}]"#, 3), (r#"["[[\"[["]"#, 1), ("[[],[[]]]", 3)] {
            assert_eq!(compact(json), (json.to_string(), expected), "{json}");
        }
    }

    #[test]
    fn only_the_white_space_outside_of_strings_is_left_out() {
        let json = "[ {\r\n\t\"a b\" : 1.0 ,\"\\\" c\": \"d  e\" } , null ]";
        assert_eq!(compact(json).0, r#"[{"a b":1.0,"\" c":"d  e"},null]"#);
    }
}

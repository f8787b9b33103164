//! Seconds as clients write them.

/// Reads a JSON number, or a string that has one, and gives milliseconds, rounded. An error is the value's problem.
/// Floating point, because 1e308 seconds fit no integer.
pub fn milliseconds(raw: &str) -> Result<f64, String> {
    let text = match json_kind(raw) {
        "a number" => raw,
        "a string" => raw.trim_matches('"'),
        kind => return Err(format!("is {kind}")),
    };
    // The characters of a JSON number: Rust would take "inf" and "NaN" for numbers too.
    let numeric = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let seconds = numeric.then(|| text.parse::<f64>().ok()).flatten().ok_or("is a string that is not a number")?;
    Ok((seconds * 1000.0).round())
}

/// The kind of a JSON value, for messages: "a string", "a number".
pub fn json_kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

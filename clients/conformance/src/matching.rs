//! Whether a JSON value is as a scenario expects it.

use serde_json::Value;

/// Whether `actual` has what `expected` names. Objects may have more members. `{"min": 1, "max": 2}` are bounds,
/// `{"oneOf": […]}` is a choice, `{"any": true}` is anything but null, and null is null or nothing.
pub fn is_as_expected(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(members), _)
            if !members.is_empty() && members.keys().all(|name| name == "min" || name == "max") =>
        {
            number(actual).is_some_and(|number| is_within(expected, number))
        }
        (Value::Object(members), _) if members.contains_key("oneOf") => {
            members["oneOf"].as_array().is_some_and(|choice| choice.iter().any(|one| is_as_expected(one, actual)))
        }
        (Value::Object(members), _) if members.contains_key("any") => !actual.is_null(),
        (Value::Object(members), Value::Object(_)) => {
            members.iter().all(|(name, expected)| is_as_expected(expected, &actual[name]))
        }
        (Value::Number(expected), Value::Number(actual)) => expected.as_f64() == actual.as_f64(),
        _ => expected == actual,
    }
}

/// Whether a number is within `{"min", "max"}`, or is the number that `bounds` is. `"any"` has no bounds.
pub fn is_within(bounds: &Value, number: f64) -> bool {
    match bounds {
        Value::Number(exact) => exact.as_f64() == Some(number),
        Value::Object(_) => {
            let bound = |name: &str| bounds[name].as_f64();
            bound("min").is_none_or(|least| number >= least) && bound("max").is_none_or(|most| number <= most)
        }
        _ => true,
    }
}

/// A number, or a fence, which is the text of one.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expectation_names_members_bounds_and_choices() {
        let actual = json!({ "held": true, "leftMs": 900, "fence": "17", "holder": { "owner": "x" } });
        for (expected, is) in [
            (json!({ "held": true }), true),
            (json!({ "held": false }), false),
            (json!({ "leftMs": { "min": 800, "max": 1000 } }), true),
            (json!({ "leftMs": { "min": 950 } }), false),
            (json!({ "fence": { "min": 17 } }), true),
            (json!({ "missing": null }), true),
            (json!({ "missing": { "any": true } }), false),
            (json!({ "holder": { "owner": { "oneOf": ["y", "x"] } } }), true),
            (json!({ "holder": { "owner": { "oneOf": ["y"] } } }), false),
        ] {
            assert_eq!(is_as_expected(&expected, &actual), is, "{expected}");
        }
    }
}

//! What a holder says about its lock.

use serde_json::{Value, value::RawValue};

use super::Invalid;

/// A JSON list, kept as the text that was given so that keys, numbers and nesting come back unchanged. Only the white
/// space between its parts is left out, so that a request which is written anew is the same request.
#[derive(Clone, Debug)]
pub struct Metadata(Box<RawValue>);

impl Metadata {
    /// The longest list, in bytes of JSON.
    pub const LONGEST: usize = 4096;
    /// The deepest nesting, the list itself included: common parsers give up at about 128.
    pub const DEEPEST: usize = 64;

    /// Takes any JSON value, or its absence: a list as it is, nothing or null as the empty list, anything else as the
    /// only element of a list.
    pub fn parse(raw: Option<&RawValue>) -> Result<Self, Invalid> {
        let list = match raw.map(RawValue::get) {
            None | Some("null") => "[]".to_string(),
            Some(list) if list.starts_with('[') => list.to_string(),
            Some(other) => format!("[{other}]"),
        };
        let (list, depth) = compact(&list);
        if list.len() > Self::LONGEST {
            let (length, longest) = (list.len(), Self::LONGEST);
            return Err(Invalid::new("metadata", format!("is {length} bytes of JSON; it must be at most {longest}")));
        }
        if depth > Self::DEEPEST {
            let deepest = Self::DEEPEST;
            return Err(Invalid::new("metadata", format!("is nested {depth} deep; it must be at most {deepest} deep")));
        }
        // It is kept as text and would come back as it is; but who reads a list of locks with a common parser, as the
        // commands of Gorilla do, could then read none of them.
        if list != "[]" && serde_json::from_str::<Value>(&list).is_err() {
            let why =
                "has a number beyond the range of a double, or half of a surrogate pair, which common parsers refuse";
            return Err(Invalid::new("metadata", why));
        }
        Self::from_stored(list).ok_or_else(|| Invalid::new("metadata", "is not valid JSON"))
    }

    /// Takes a list that `parse` made before; none where it is no JSON.
    pub fn from_stored(list: String) -> Option<Self> {
        RawValue::from_string(list).ok().map(Self)
    }

    /// The list as JSON.
    pub fn as_json(&self) -> &RawValue {
        &self.0
    }
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

    #[test]
    fn what_common_parsers_refuse_is_refused() {
        let parse = |json: &str| Metadata::parse(Some(&RawValue::from_string(json.into()).expect("JSON")));
        for json in ["1e400", r#""\ud800""#, r#"{"a":[-1e999]}"#, r#"["\udc00\ud800"]"#] {
            assert!(parse(json).is_err(), "{json}");
        }
        for json in ["1e308", "12345678901234567890123456789", r#""\ud83e\udd8d""#, "0.1000", r#"{"a":1,"a":2}"#] {
            let kept = parse(json).expect("it is taken");
            assert_eq!(kept.as_json().get(), format!("[{json}]"));
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

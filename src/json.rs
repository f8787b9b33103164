//! Writes JSON objects member by member: log lines and answers with locks, which every request pays for.

use std::fmt::{self, Debug, Write};

use serde::Serialize;

/// Whether a text needs no escapes within a JSON string. Reads eight bytes at a time: each request writes some five hundred.
fn is_plain(text: &str) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST: u64 = ONES << 7;
    // Of a byte that is 0 the highest bit is set, and of none before it.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let needs_escape = |word: u64| {
        let below_space = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        (below_space | quotes | backslashes) & HIGHEST != 0
    };
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    // A byte that needs no escape fills the last word.
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    !words.iter().chain([&last]).any(|word| needs_escape(u64::from_le_bytes(*word)))
}

/// An object in the making.
pub struct Object(String);

impl Object {
    /// An object without members, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self(text)
    }

    /// A member that is a string.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        self.escaped(value);
        self.0.push('"');
    }

    /// A member that is a whole number.
    pub fn whole(&mut self, name: &str, value: impl itoa::Integer) {
        self.raw(name, itoa::Buffer::new().format(value));
    }

    /// A member that is JSON already.
    pub fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push_str(value);
    }

    /// A member with the JSON that serde makes of it. Left out if serde fails.
    pub fn value(&mut self, name: &str, value: impl Serialize) {
        if let Ok(value) = serde_json::to_string(&value) {
            self.raw(name, &value);
        }
    }

    /// A member that is a string, with what `Debug` says.
    pub fn debug(&mut self, name: &str, value: &dyn Debug) {
        self.name(name);
        self.0.push('"');
        // Only an implementation of Debug can fail. Then the rest of the object is still worth having.
        let _ = write!(Escaped(self), "{value:?}");
        self.0.push('"');
    }

    /// The whole object.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.escaped(name);
        self.0.push_str("\":");
    }

    /// Writes a text as the inside of a JSON string.
    fn escaped(&mut self, text: &str) {
        // Most texts need no escapes.
        if is_plain(text) {
            return self.0.push_str(text);
        }
        let quoted = serde_json::to_string(text).unwrap_or_default();
        self.0.push_str(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
    }
}

/// Escapes the text that is written to it.
struct Escaped<'a>(&'a mut Object);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn an_object_is_what_a_parser_takes_it_for(name in "\\PC{1,9}|[\\x00-\\x7f]{1,9}", text in any::<String>(), whole in any::<i64>()) {
            let mut object = Object::with_capacity(0);
            object.text("text", &text);
            object.text(&name, "named");
            object.debug("debug", &text);
            object.whole("whole", whole);
            object.raw("raw", "[1,{}]");
            object.value("value", Some(0.5));
            let parsed: serde_json::Value = serde_json::from_str(&object.end()).expect("JSON");
            if !["text", "debug", "whole", "raw", "value"].contains(&name.as_str()) {
                let expected = json!({
                    "text": text, &name: "named", "debug": format!("{text:?}"), "whole": whole, "raw": [1, {}], "value": 0.5,
                });
                prop_assert_eq!(parsed, expected);
            }
        }
    }

    #[test]
    fn every_byte_that_needs_an_escape_is_seen_wherever_it_stands() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..0x80 {
                    let mut text = vec![b'x'; length];
                    text[at] = byte;
                    let text = String::from_utf8(text).expect("ASCII");
                    let needs_none = serde_json::to_string(&text).expect("JSON").len() == length + 2;
                    assert_eq!(is_plain(&text), needs_none, "{text:?}");
                }
            }
        }
        assert!(is_plain("") && is_plain("Gorilla \u{1f98d}, \u{80}\u{7ff}"));
    }

    #[test]
    fn an_object_may_be_empty() {
        assert_eq!(Object::with_capacity(2).end(), "{}");
    }
}

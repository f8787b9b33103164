//! Writes JSON objects member by member: log lines and answers with locks, which every request pays for.

use std::fmt::{self, Debug, Write};

use serde::Serialize;

use crate::{printable, rfc3339::Rfc3339};

/// The name of a member with what stands around it in JSON, put together at build time.
macro_rules! name {
    ($name:literal) => {
        $crate::json::Name::new(concat!("\"", $name, "\":"))
    };
}
pub(crate) use name;

/// A name as `name!` makes it.
#[derive(Clone, Copy)]
pub struct Name(&'static str);

impl Name {
    /// For `name!`.
    pub const fn new(in_json: &'static str) -> Self {
        Self(in_json)
    }
}

/// Whether a text is printable ASCII that needs no escapes within a JSON string. The compiler looks at 16 bytes at a
/// time: each request writes some five hundred.
fn is_plain(text: &str) -> bool {
    let is_special = |byte: &u8| *byte < b' ' || *byte > b'~' || *byte == b'"' || *byte == b'\\';
    // Without an early end.
    let has_special = |bytes: &[u8; 16]| bytes.iter().fold(false, |found, byte| found | is_special(byte));
    let text = text.as_bytes();
    match text.last_chunk() {
        // The last 16 bytes overlap those before.
        Some(last) => !text.as_chunks().0.iter().chain([last]).any(has_special),
        None => {
            let mut filled = [b' '; 16];
            filled[..text.len()].copy_from_slice(text);
            !has_special(&filled)
        }
    }
}

/// An object in the making.
pub struct Object {
    text: String,
    /// Whether all of it is surely printable ASCII.
    is_plain: bool,
}

/// A member that has its name, and gets its value.
pub struct Member<'a>(&'a mut Object);

impl Object {
    /// An object without members, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self { text, is_plain: true }
    }

    /// A member with a name that is known at build time.
    pub fn member(&mut self, Name(name): Name) -> Member<'_> {
        self.comma();
        self.text.push_str(name);
        Member(self)
    }

    /// A member with another name.
    pub fn named(&mut self, name: &str) -> Member<'_> {
        self.comma();
        self.text.push('"');
        self.escaped(name);
        self.text.push_str("\":");
        Member(self)
    }

    /// The whole object.
    pub fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }

    /// The whole object, in which characters that are not printable are escaped.
    pub fn end_for_people(self) -> String {
        if self.is_plain { self.end() } else { printable::in_json(self.end()) }
    }

    fn comma(&mut self) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
    }

    /// Writes a text as the inside of a JSON string.
    fn escaped(&mut self, text: &str) {
        // Most texts need no escapes.
        if is_plain(text) {
            return self.text.push_str(text);
        }
        self.is_plain = false;
        let quoted = serde_json::to_string(text).unwrap_or_default();
        self.text.push_str(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
    }
}

impl Member<'_> {
    /// A string.
    pub fn text(self, value: &str) {
        self.0.text.push('"');
        self.0.escaped(value);
        self.0.text.push('"');
    }

    /// A time, which has nothing to escape.
    pub fn time(self, time: &Rfc3339) {
        self.0.text.push('"');
        self.0.text.push_str(time.as_str());
        self.0.text.push('"');
    }

    /// A whole number.
    pub fn whole(self, value: impl itoa::Integer) {
        self.0.text.push_str(itoa::Buffer::new().format(value));
    }

    /// What is JSON already.
    pub fn raw(self, value: &str) {
        self.0.is_plain = false;
        self.0.text.push_str(value);
    }

    /// The JSON that serde makes of a value; null if serde fails.
    pub fn value(self, value: impl Serialize) {
        self.raw(serde_json::to_string(&value).as_deref().unwrap_or("null"));
    }

    /// A string with what `Debug` says.
    pub fn debug(self, value: &dyn Debug) {
        self.0.text.push('"');
        // Only an implementation of Debug can fail. Then the rest of the object is still worth having.
        let _ = write!(Escaped(self.0), "{value:?}");
        self.0.text.push('"');
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
            object.member(name!("text")).text(&text);
            object.named(&name).text("named");
            object.member(name!("debug")).debug(&text);
            object.member(name!("whole")).whole(whole);
            object.member(name!("raw")).raw("[1,{}]");
            object.member(name!("value")).value(Some(0.5));
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
    fn every_byte_that_may_need_an_escape_is_seen_wherever_it_stands() {
        for length in 1..40 {
            for at in 0..length {
                for byte in 0..0x80 {
                    let mut text = vec![b'x'; length];
                    text[at] = byte;
                    let text = String::from_utf8(text).expect("ASCII");
                    let needs_none = byte != 0x7f && serde_json::to_string(&text).expect("JSON").len() == length + 2;
                    assert_eq!(is_plain(&text), needs_none, "{text:?}");
                }
            }
        }
        assert!(is_plain("") && !is_plain("Gorilla \u{1f98d}") && !is_plain("\u{80}\u{7ff}"));
    }

    #[test]
    fn an_object_may_be_empty() {
        assert_eq!(Object::with_capacity(2).end(), "{}");
    }
}

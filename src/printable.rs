//! Escapes text of other people before a person reads it, because a terminal acts on some characters instead of showing
//! them.
//!
//! Only this file decides which characters to escape: those that Rust's `Debug` escapes, except quotes and backslashes.
//! They are control characters (C0, DEL, and C1 with NEL), format characters (which turn the direction of text or have
//! no width), separators of lines and paragraphs, spaces other than the usual one, marks that combine with the
//! character before them, and code points that are private or mean nothing yet. Text that is shown by `{:?}` needs
//! nothing more.

use std::{borrow::Cow, fmt::Write};

/// Whether a terminal shows a character as it is, and does nothing else.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// Text for people. Characters that are not printable become escapes as in a string of Rust, such as `\u{202e}` or
/// `\n`.
pub fn for_people(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return text.into();
    }
    let mut shown = String::with_capacity(2 * text.len());
    for c in text.chars() {
        match is_printable(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_debug()),
        }
    }
    shown.into()
}

/// JSON that means the same. Characters that are not printable become `\uXXXX`. Outside of its strings JSON has
/// only ASCII, and serde_json has escaped the characters below a space.
pub fn in_json(json: String) -> String {
    // Most JSON is such.
    if json.is_ascii() && !json.contains('\x7f') {
        return json;
    }
    let mut escaped = String::with_capacity(2 * json.len());
    for c in json.chars() {
        if c < '\x7f' || is_printable(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string can't fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        let acts = ['\0', '\u{1b}', '\n', '\u{7f}', '\u{80}', '\u{85}', '\u{9b}', '\u{ad}', '\u{61c}', '\u{180e}'];
        let turns = ('\u{200b}'..='\u{200f}').chain('\u{2028}'..='\u{202e}').chain('\u{2060}'..='\u{206f}');
        let invisible = ['\u{fe0f}', '\u{feff}', '\u{fff9}', '\u{1d173}', '\u{e0001}', '\u{e007f}'];
        for c in acts.into_iter().chain(turns).chain(invisible) {
            assert!(!is_printable(c), "{c:?}");
        }
        assert_eq!(for_people("a\u{1b}[2J\u{202e}\n"), "a\\u{1b}[2J\\u{202e}\\n");
        assert_eq!(in_json("\"\u{7f}\u{85}\u{202e}\u{e0001}\"".into()), r#""\u007f\u0085\u202e\udb40\udc01""#);
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["", "a b", "\"it's\" C:\\x", "größer – Ελλάδα, Москва, 東京, 한국, שלום, مرحبا, 🦍"]
        {
            assert_eq!(for_people(text), text);
            assert_eq!(in_json(text.into()), text);
        }
    }

    proptest! {
        #[test]
        fn json_means_the_same_and_is_printable(text in "\\PC{0,9}|\\p{C}{0,9}|.{0,9}") {
            let json = in_json(serde_json::to_string(&text).expect("JSON"));
            prop_assert!(json.chars().all(is_printable), "{:?}", json);
            prop_assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text.as_str());
            prop_assert!(for_people(&text).chars().all(is_printable));
        }
    }
}

//! What is wrong, or doubtful, in the access file, and where.

use std::fmt;

use crate::printable::for_people;

/// Something in the access file that a person should change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line and column, both from 1, the column in characters. Nothing if the file as a whole is meant.
    pub position: Option<(usize, usize)>,
    /// The entry, such as `[[role]] "orders"`. Empty if it is not in one.
    pub entry: String,
    /// What is wrong, and what would be right.
    pub text: String,
}

/// A finding that doesn't make the file invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub Finding);

/// All problems with the access file, in its order; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Finding>);

impl Problems {
    /// A problem with the file as a whole.
    pub fn of_file(text: impl Into<String>) -> Self {
        Self(vec![Finding { position: None, entry: String::new(), text: text.into() }])
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        let gap = if self.entry.is_empty() { "" } else { " " };
        f.write_str(&for_people(&without_secrets(&format!("{}{gap}{}", self.entry, self.text))))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

impl std::error::Error for Problems {}

/// A text in which long words are hidden, because somebody may have put a key in a wrong place of the file. A secret of
/// a key and a digest are such words.
fn without_secrets(text: &str) -> String {
    const LONG: usize = 32;
    let is_digit = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(|c| !is_digit(c)) {
        let word = part.trim_end_matches(|c| !is_digit(c));
        match word.len() >= LONG {
            true => shown.extend(["***", &part[word.len()..]]),
            false => shown.push_str(part),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_it_is_and_hides_keys_and_digests() {
        let finding = |position, entry: &str, text: &str| Finding { position, entry: entry.into(), text: text.into() };
        let key = "gorilla_Ab3dEf9h_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2nthbv";
        let shown = finding(Some((3, 14)), "[[key]] \"ci\"", &format!("{key:?} is not a field\u{1b}")).to_string();
        assert_eq!(shown, "line 3, column 14: [[key]] \"ci\" \"***\" is not a field\\u{1b}");
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(finding(None, "", &format!("é{digest}, {key}")).to_string(), "ésha256:***, ***");
        assert_eq!(Problems::of_file("is empty").to_string(), "is empty\n");
    }
}

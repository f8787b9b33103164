//! The document. Measured sections stand between markers, and the words of people around them stay.

use anyhow::{Context, Result, ensure};

const OPENING: &str = "<!-- measured: ";
const OPENING_ENDS: &str = " -->\n";
const CLOSING: &str = "<!-- end of measured -->\n";
/// The width of a line of prose.
const WIDTH: usize = 100;

pub fn opening(section: &str) -> String {
    format!("{OPENING}{section}{OPENING_ENDS}")
}

/// The document with each section filled anew. Fails if the markers are not clear, because the words of people can't be
/// measured again.
pub fn filled(document: &str, section: impl Fn(&str) -> String) -> Result<String> {
    let (mut text, mut rest) = (String::new(), document);
    while let Some((before, after)) = rest.split_once(OPENING) {
        let (name, after) = after.split_once(OPENING_ENDS).context("the line of a `measured` marker has no end")?;
        let (old, after) = after.split_once(CLOSING).with_context(|| format!("`{name}` is not closed by {CLOSING}"))?;
        ensure!(!old.contains(OPENING), "`{name}` is not closed before the next section is opened");
        text += &format!("{before}{}\n{}\n{CLOSING}", opening(name), section(name));
        rest = after;
    }
    Ok(text + rest)
}

/// Breaks a paragraph into lines, so that a change of a word is a change of a line.
pub fn wrapped(words: &str) -> String {
    textwrap::fill(
        words,
        textwrap::Options::new(WIDTH).break_words(false).word_splitter(textwrap::WordSplitter::NoHyphenation),
    ) + "\n"
}

/// Keeps text from the machine within one cell of a table.
pub fn in_cell(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

//! Sentences on standard error.

use std::{fmt::Display, process::ExitCode};

use crate::printable;

/// Writes a sentence to standard error. The sentence may contain text of other people.
pub fn tell(sentence: impl Display) {
    eprintln!("gorilla: {}", printable::for_people(&sentence.to_string()));
}

/// Writes a sentence to standard error. Returns the exit code for an error.
pub fn fail(sentence: impl Display) -> ExitCode {
    tell(sentence);
    ExitCode::FAILURE
}

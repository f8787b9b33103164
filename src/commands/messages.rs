//! Sentences on standard error.

use std::{fmt::Display, process::ExitCode};

use crate::printable;

/// Says a sentence on standard error, where what others wrote may be a part of it.
pub fn tell(sentence: impl Display) {
    eprintln!("gorilla: {}", printable::for_people(&sentence.to_string()));
}

/// Ends with a sentence on standard error.
pub fn fail(sentence: impl Display) -> ExitCode {
    tell(sentence);
    ExitCode::FAILURE
}

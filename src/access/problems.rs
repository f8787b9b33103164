//! What is wrong with an access file, and what may be.

use std::fmt;

use crate::printable::for_people;

/// All that is wrong with an access file; never empty. Each is a sentence with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

/// What is allowed, and may not be what its author means; a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|problem| writeln!(f, "{}", for_people(problem)))
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&for_people(&self.0))
    }
}

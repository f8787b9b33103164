//! Why a call of a script has no reply, or a reply that can't be read.

use std::fmt;

use gorilla_domain::Failure;
use gorilla_scripts::Malformed;

use super::link;

/// What keeps a call from an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Redis did not reply, or replied with an error.
    Link(link::Error),
    /// Redis replied with something that the script does not write, or that comes from keys which Gorilla has not
    /// written.
    Malformed(String),
}

impl Error {
    /// Whether the error comes from the content of the keys of one resource, and so says nothing about other resources.
    pub fn is_of_its_keys(&self) -> bool {
        match self {
            Self::Malformed(_) => true,
            Self::Link(error) => error.is_wrong_type(),
        }
    }

    /// Whether Redis refused because it is out of memory.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Link(link::Error::Refused(link::Refusal::OutOfMemory)))
    }
}

/// As a part of a sentence.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Link(error) => error.fmt(f),
            Self::Malformed(what) => write!(f, "{what}; was its key changed by hand?"),
        }
    }
}

impl From<link::Error> for Error {
    fn from(error: link::Error) -> Self {
        Self::Link(error)
    }
}

impl From<Malformed> for Error {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed(what)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.clone() {
            Error::Link(link::Error::Unreachable(why)) => Self::Unreachable(why),
            Error::Link(link::Error::Overloaded) => Self::Overloaded,
            Error::Link(link::Error::Refused(refusal)) => Self::Refused(refusal.to_string()),
            Error::Link(link::Error::Lost(why)) => Self::Unknown(why),
            Error::Link(link::Error::Failed(_) | link::Error::Unexpected(_)) | Error::Malformed(_) => {
                Self::Broken(error.to_string())
            }
        }
    }
}

impl From<link::Error> for Failure {
    fn from(error: link::Error) -> Self {
        Error::Link(error).into()
    }
}

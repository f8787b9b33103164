//! Why a command has no useful reply. Only this file tells the errors of Redis apart.

use std::fmt;

use fred::error::{Error as FredError, ErrorKind};

use super::explain::explain;

/// What came instead of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no usable connection, and nothing was sent. Says why.
    Unreachable(String),
    /// As many commands are in flight as may be, and nothing was sent.
    Overloaded,
    /// Redis refused before it executed anything.
    Refused(Refusal),
    /// Redis or a script failed, perhaps after it had written.
    Failed(Complaint),
    /// The command was sent, and no reply came. Says for how long or why.
    Lost(String),
    /// The reply can't be a reply to this command. Says what is wrong with it.
    Unexpected(&'static str),
}

/// Why Redis did not begin to execute a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is at another node of a cluster.
    Elsewhere,
    /// The keys are moving to another node of a cluster.
    TryAgain,
    /// The server does not know the script.
    NoScript,
    /// The server is a replica.
    ReadOnly,
    /// The server is reading its data.
    Loading,
    /// A replica has lost its master.
    MasterDown,
    /// The cluster does not serve all slots.
    ClusterDown,
    /// The server could not write its data to its disk.
    Misconfigured,
    /// Too few replicas are connected.
    NoReplicas,
    /// A script has been running for long.
    Busy,
    /// The server is out of memory.
    OutOfMemory,
}

/// An error that Redis or a script answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What it is about.
    pub about: About,
    /// What Redis said, without a full stop.
    pub message: String,
}

/// What a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A key has a value of another type.
    WrongType,
    /// The user lacks a right, or the server a command.
    NoRight,
    /// Something else.
    Other,
}

/// Each refusal with the first word of Redis's error; the rest of the error differs between versions.
const WORDS: [(&str, Refusal); 10] = [
    ("TRYAGAIN", Refusal::TryAgain),
    ("NOSCRIPT", Refusal::NoScript),
    ("READONLY", Refusal::ReadOnly),
    ("LOADING", Refusal::Loading),
    ("MASTERDOWN", Refusal::MasterDown),
    ("CLUSTERDOWN", Refusal::ClusterDown),
    ("MISCONF", Refusal::Misconfigured),
    ("NOREPLICAS", Refusal::NoReplicas),
    ("BUSY", Refusal::Busy),
    ("OOM", Refusal::OutOfMemory),
];

impl Error {
    /// From what Redis answered.
    pub fn answered(message: &str) -> Self {
        let word = message.split_ascii_whitespace().next().unwrap_or_default();
        if let Some((_, refusal)) = WORDS.iter().find(|(known, _)| *known == word) {
            return Self::Refused(*refusal);
        }
        let about = match word {
            // A script that fails has the error of its command at its end.
            _ if message.contains("WRONGTYPE") => About::WrongType,
            _ if message.contains("NOPERM") || message.contains("unknown command") => About::NoRight,
            _ => About::Other,
        };
        Self::Failed(Complaint { about, message: message.trim_end_matches('.').into() })
    }

    /// From what fred says of a command that was sent.
    pub fn sent(error: &FredError) -> Self {
        match error.kind() {
            ErrorKind::Timeout => Self::Lost("Redis did not reply in time".into()),
            // MOVED or ASK: if the slot has moved for good, fred knows its new node now.
            ErrorKind::Routing => Self::Refused(Refusal::Elsewhere),
            _ => Self::Lost(format!("the connection failed: {}", explain(error))),
        }
    }

    /// Whether a key has a value of another type than the command is for.
    pub fn is_wrong_type(&self) -> bool {
        matches!(self, Self::Failed(Complaint { about: About::WrongType, .. }))
    }

    /// Whether the user lacks a right, or the server a command.
    pub fn is_no_right(&self) -> bool {
        matches!(self, Self::Failed(Complaint { about: About::NoRight, .. }))
    }

    /// Whether the same command may succeed at once at another node, or in a moment at this node.
    pub fn is_moving(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Elsewhere | Refusal::TryAgain))
    }
}

impl fmt::Display for Refusal {
    /// The word that Redis has for it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let word = WORDS.iter().find(|(_, refusal)| refusal == self);
        f.write_str(word.map_or("MOVED or ASK", |(word, _)| word))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Redis answered: {}", self.message)
    }
}

/// As a part of a sentence.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Lost(why) => f.write_str(why),
            Self::Overloaded => f.write_str("too many commands wait for Redis"),
            Self::Refused(refusal) => write!(f, "Redis refuses writes: {refusal}"),
            Self::Failed(complaint) => complaint.fmt(f),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_redis_are_told_apart_by_what_they_begin_with_or_are_about() {
        let complaint = |about, message: &str| Error::Failed(Complaint { about, message: message.into() });
        for (message, error) in [
            ("NOSCRIPT No matching script. Please use EVAL.", Error::Refused(Refusal::NoScript)),
            ("OOM command not allowed when used memory > 'maxmemory'.", Error::Refused(Refusal::OutOfMemory)),
            ("READONLY You can't write against a read only replica.", Error::Refused(Refusal::ReadOnly)),
            ("NOPERM No permissions.", complaint(About::NoRight, "NOPERM No permissions")),
            ("ERR unknown command 'FOO'", complaint(About::NoRight, "ERR unknown command 'FOO'")),
            (
                "ERR user_script:3: WRONGTYPE Operation",
                complaint(About::WrongType, "ERR user_script:3: WRONGTYPE Operation"),
            ),
            ("ERR no such thing.", complaint(About::Other, "ERR no such thing")),
            ("", complaint(About::Other, "")),
        ] {
            assert_eq!(Error::answered(message), error);
        }
        assert_eq!(Refusal::OutOfMemory.to_string(), "OOM");
        assert_eq!(Refusal::Elsewhere.to_string(), "MOVED or ASK");
    }
}

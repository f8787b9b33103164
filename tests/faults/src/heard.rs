//! What a run keeps of those who listen to the stream of events.

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// The owner of the locks that are taken at the end of a run, to see that they are free and that listeners are told so.
pub const VISITOR: &str = "visitor";

/// Something that a listener was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// Which listener.
    pub listener: u64,
    /// The how manieth thing that it was told.
    pub number: u64,
    /// When.
    pub at: Moment,
    /// What.
    pub told: Told,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// It is told what happens from now on.
    Began,
    /// It is told what happened behind this cursor, which it was told before, and what happens from now on.
    Resumed {
        /// The cursor.
        since: String,
    },
    /// Nothing before this cursor is left to be told.
    Position {
        /// The cursor.
        cursor: String,
    },
    /// Events are missing here.
    Missed {
        /// Why.
        reason: String,
    },
    /// Something happened.
    Happened(Happened),
    /// Somebody leads in this term.
    Leads {
        /// In which election.
        resource: String,
        /// The term.
        term: u64,
    },
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// Its type, as docs/reference/events.md names it.
    pub kind: String,
    /// Its position.
    pub cursor: String,
    /// The lock.
    pub resource: String,
    /// The holder, or who waits.
    pub owner: String,
    /// The fence of the grant, if it is about one.
    #[serde(default)]
    pub fence: Option<u64>,
    /// Whether it is a grant of a shared lock.
    #[serde(default)]
    pub shared: bool,
    /// Of the end of a lease: how long after it the end was recorded, in milliseconds by Redis's clock.
    #[serde(default)]
    pub late: Option<i64>,
}

impl Happened {
    /// Whether it is the end of a grant.
    pub fn is_end(&self) -> bool {
        matches!(self.kind.as_str(), "released" | "expired" | "broken" | "undone")
    }

    /// Whether Redis has not recorded it, and replicas derive it from the event whose cursor it has.
    pub fn is_derived(&self) -> bool {
        self.cursor.contains(".e")
    }
}

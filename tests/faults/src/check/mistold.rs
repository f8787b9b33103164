//! What can be wrong with what listeners were told.

use std::fmt;

use crate::moment::{Moment, at};

/// Something wrong in the stream of events, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistold {
    /// A client was told of a grant, and the listener was neither told of it nor that events are missing.
    Unheard {
        /// When the client was told.
        answered: Moment,
    },
    /// A grant has ended, and the listener was not told of its end, nor that events are missing.
    NoEnd,
    /// A grant has ended twice.
    TwoEnds {
        /// How, as the events say.
        ends: [String; 2],
    },
    /// A grant was told to end in another way than it did.
    OtherEnd {
        /// How, as the event says.
        told: String,
        /// What clients did.
        done: &'static str,
    },
    /// A grant was told to have ended, and stood.
    StoodOn {
        /// How it ended, as the event says.
        told: String,
        /// When the listener was told.
        heard: Moment,
        /// When the grant was seen to stand, or until when its lease surely lasted.
        until: Moment,
    },
    /// The end of a lease was recorded too long after it.
    Late {
        /// By how many milliseconds.
        late: i64,
    },
    /// An event of a grant that nobody has asked for, or that nobody got.
    Phantom {
        /// What happened, as the event says.
        kind: String,
        /// To whom.
        owner: String,
    },
    /// An event can't come behind an earlier one.
    Disordered {
        /// What happened, as the event says.
        kind: String,
        /// What had happened before, and with which fence.
        after: (String, u64),
    },
    /// A listener that stood behind an event was told of it again.
    Twice {
        /// The position.
        cursor: String,
    },
    /// A listener that went back was told something else than before, or two listeners were told different things.
    Different {
        /// The position of what was told before, or to the other.
        cursor: String,
        /// The position of what was told instead.
        instead: String,
    },
    /// A leader in a term below an earlier one.
    TermBack {
        /// The earlier term.
        later: u64,
    },
}

/// A listener was told something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MistoldTo {
    /// Which listener.
    pub listener: u64,
    /// Of which lock.
    pub resource: String,
    /// Of which grant; 0 if it is about none.
    pub fence: u64,
    /// What.
    pub what: Mistold,
}

impl fmt::Display for MistoldTo {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { listener, resource, fence, what } = self;
        write!(f, "listener {listener} and fence {fence} of {resource}: ")?;
        match what {
            Mistold::Unheard { answered } => {
                write!(f, "the grant was answered at {}, and the listener was not told of it", at(*answered))
            }
            Mistold::NoEnd => f.write_str("the listener was not told how the grant ended"),
            Mistold::TwoEnds { ends } => write!(f, "the grant ended twice, {} and {}", ends[0], ends[1]),
            Mistold::OtherEnd { told, done } => write!(f, "the grant was told to be {told}, and {done}"),
            Mistold::StoodOn { told, heard, until } => {
                write!(f, "the grant was told to be {told} at {}, and stood until {}", at(*heard), at(*until))
            }
            Mistold::Late { late } => write!(f, "the end of the lease was recorded {late} ms late"),
            Mistold::Phantom { kind, owner } => write!(f, "{kind}, and {owner} never had that grant"),
            Mistold::Disordered { kind, after } => write!(f, "{kind}, behind {} with fence {}", after.0, after.1),
            Mistold::Twice { cursor } => write!(f, "told twice at {cursor}"),
            Mistold::Different { cursor, instead } => write!(f, "{instead} was told in place of {cursor}"),
            Mistold::TermBack { later } => write!(f, "told to lead, behind the term {later}"),
        }
    }
}

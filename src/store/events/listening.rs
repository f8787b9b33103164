//! What Redis says when it is told to record.

use gorilla_domain::event::{EntryId, Epoch};

/// What Redis records from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Which epoch the events belong to.
    pub epoch: Epoch,
    /// The first entry that is kept; in a Cluster the id before which entries may have been dropped.
    pub first: EntryId,
    /// The last entry; in a Cluster, which has no last one, the highest id that there is.
    pub last: EntryId,
    /// The clock of Redis, in milliseconds since 1970; in a Cluster that of one of its masters.
    pub now: i64,
    /// The process of the server; in a Cluster those of all masters, in a steady order.
    pub run: String,
    /// The epoch before, if there was one.
    pub before: Option<Epoch>,
    /// The word for why that ended, empty if there was none.
    pub why: String,
    /// In a Cluster: the slots that have entries, each with the last one.
    pub filled: Vec<(u16, EntryId)>,
}

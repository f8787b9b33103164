//! What a script finds beside its arguments.

use crate::{
    Mistake,
    redis::{Ms, Us},
};

/// What a script finds beside its arguments.
#[derive(Clone, Debug)]
pub struct Env {
    /// The clock of the node.
    pub now: Us,
    /// How long a waiter that was woken may take: `TURN` in `lua/lib/turn.lua`.
    pub turn: Ms,
    /// Most places in the queue.
    pub room: usize,
    /// Most holders of a shared lock.
    pub holders: usize,
    /// Most holders that a script takes out because their leases have ended: `MOST_ENDED` in `lua/lib/group/group.lua`.
    pub most_ended: usize,
    /// Most waiters that a script calls: `MOST_CALLED` in `lua/lib/group/call.lua`.
    pub most_called: usize,
    /// The incarnation of the data: the replication id of the node.
    pub incarnation: u8,
    /// How long grants wait after an incarnation is seen for the first time.
    pub grace: Option<Grace>,
    /// The line that is wrong, if one is.
    pub mistake: Option<Mistake>,
}

/// The option `failover_grace`.
#[derive(Clone, Copy, Debug)]
pub struct Grace {
    /// At least the longest lease.
    pub length: Ms,
    /// Whether replays of grants wait too.
    pub for_replays: bool,
}

impl Env {
    /// The same in milliseconds.
    pub(super) fn now_ms(&self) -> Ms {
        self.now / 1000
    }

    pub(super) fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }
}

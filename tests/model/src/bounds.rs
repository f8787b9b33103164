//! What a search covers: how many take part, how often each thing may happen, and which options are on.

use crate::{
    Mistake,
    redis::{Id, Ms, Share},
    scripts::Grace,
};

/// How data is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It does not.
    Never,
    /// The node of Redis that replicates falls behind at some moment and becomes the master later. The old master is
    /// dead.
    OldMasterDies,
    /// The same, but the old master still serves the replicas of Gorilla that are connected to it.
    SplitBrain,
    /// The master comes back without its data.
    RestartsEmpty,
}

/// Which successes `min_replicas_ack` holds back until the second node has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// None.
    Off,
    /// The successes of acquires.
    Acquires,
    /// The successes of acquires and extends.
    All,
}

/// The bounds of one search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Clients. Each makes its requests one after another.
    pub clients: u8,
    /// What each client wants of a shared lock; a client beyond these wants the lock alone.
    pub modes: &'static [Option<Share>],
    /// Replicas of Gorilla.
    pub replicas: u8,
    /// Locks that a client asks for.
    pub requests: u8,
    /// Attempts of a client over all its requests. Attempts beyond the number of requests are retries.
    pub attempts: u8,
    /// Extends of a client.
    pub extends: u8,
    /// Whether a holder may convert its grant to the other mode, once.
    pub converts: bool,
    /// Whether requests carry an Idempotency-Key.
    pub keyed: bool,
    /// Whether holders release; otherwise they let their leases end.
    pub releases: bool,
    /// Whether a client that was refused asks again.
    pub retries_refusals: bool,
    /// Whether acquires wait.
    pub waits: bool,
    /// Most places in the queue.
    pub room: usize,
    /// The last tick of the clock.
    pub horizon: Ms,
    /// The length of every lease, in ticks.
    pub lease: Ms,
    /// Whether an answer may be slow. Otherwise the client has it at once, and so believes in its grant for the longest
    /// time. An answer that comes too late counts as an outcome that nobody learns.
    pub slow_answers: bool,
    /// Acquires whose outcome nobody learns: the client hangs up, the reply is lost or late.
    pub unknowns: u8,
    /// Calls of waiters whose connection breaks, after which the replica asks again.
    pub cuts: u8,
    /// Waits that end before their time.
    pub give_ups: u8,
    /// Cancellations, extends and releases that are executed once more.
    pub repeats: u8,
    /// Replicas of Gorilla that are killed.
    pub crashes: u8,
    /// How data is lost, once.
    pub loss: Loss,
    /// By how many ticks the clock of the second node is behind.
    pub clock_behind: Ms,
    /// The option `failover_grace`.
    pub grace: Option<Grace>,
    /// The option `min_replicas_ack`.
    pub ack: Ack,
    /// The line that is wrong, if one is.
    pub mistake: Option<Mistake>,
}

/// The ids of grants that conversions make begin here, one for each client.
pub const CONVERTED: Id = 100;

impl Bounds {
    /// The client whose attempt has that id, or whose conversion.
    pub fn client_of(&self, id: Id) -> u8 {
        if id >= CONVERTED { id - CONVERTED } else { id / self.attempts }
    }

    /// What a client wants of a shared lock, if it doesn't want the lock alone.
    pub fn mode(&self, client: u8) -> Option<Share> {
        self.modes.get(usize::from(client)).copied().flatten()
    }
}

/// Two clients, one replica of Gorilla, and nothing goes wrong.
pub const CALM: Bounds = Bounds {
    clients: 2,
    modes: &[],
    replicas: 1,
    requests: 1,
    attempts: 1,
    extends: 0,
    converts: false,
    keyed: false,
    releases: true,
    retries_refusals: true,
    waits: false,
    room: 2,
    horizon: 3,
    lease: 2,
    slow_answers: false,
    unknowns: 0,
    cuts: 0,
    give_ups: 0,
    repeats: 0,
    crashes: 0,
    loss: Loss::Never,
    clock_behind: 0,
    grace: None,
    ack: Ack::Off,
    mistake: None,
};

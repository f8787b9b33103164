//! The state of clients, replicas and the network.

use std::collections::BTreeSet;

use crate::{
    redis::{Id, Ms, Name, Redis, Share, Token, Us},
    scripts::Arrived,
};

/// What the search walks through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The time of Redis, and of the clients, each of which counts from a moment of its own.
    pub tick: Ms,
    /// How often the clock was read since: no two readings are the same.
    pub micro: Us,
    /// The first master, and the node that may become one.
    pub nodes: [Redis; 2],
    /// How the second node follows.
    pub link: Link,
    /// Whether the first master came back empty.
    pub restarted: bool,
    /// The node that each replica of Gorilla is connected to; `None` for a replica that was killed.
    pub replicas: Vec<Option<u8>>,
    /// The clients, by their numbers.
    pub clients: Vec<Client>,
    /// Acquires that are not over, by their ids.
    pub attempts: Vec<Attempt>,
    /// Extends and releases that are not over.
    pub operations: Vec<Operation>,
    /// What may still happen.
    pub left: Left,
    /// What only the properties look at.
    pub notes: Notes,
}

/// Replication from the first node to the second: a prefix of the writes. Its length is decided at the moment at which
/// the second node stops following, so the writes needn't be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// The second node has all that the first has.
    Follows,
    /// The second node has what the first had then.
    Stopped,
    /// The second node is a master.
    Promoted,
}

/// A client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client {
    /// Requests begun.
    pub requests: u8,
    /// Attempts begun.
    pub attempts: u8,
    /// Extends sent.
    pub extends: u8,
    /// Whether a conversion was sent.
    pub converted: bool,
    /// Whether the last request may be sent again.
    pub open: bool,
    /// The largest fence that had been answered when the last request was first sent.
    pub floor: u64,
    /// How many clients had come to wait before it did, and whether it has met a fault since.
    pub waits: Option<(u8, bool)>,
    /// What it was answered to its last request.
    pub grant: Option<Grant>,
}

/// A grant as its client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Of the tenure.
    pub id: Id,
    /// The last token that was answered.
    pub token: Token,
    /// What the client has of a shared lock; nothing if it has the lock alone.
    pub share: Option<Share>,
    /// The number that orders grants.
    pub fence: u64,
    /// The client believes to hold the lock before this time.
    pub until: Ms,
    /// Whether an extend or a conversion is under way.
    pub extending: bool,
    /// Whether a release was sent.
    pub released: bool,
    /// How the grant came to be answered.
    pub how: How,
}

/// How a grant came to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// At once.
    Asked,
    /// After a wait.
    Waited,
    /// The grant had been made before.
    Replayed,
}

/// An acquire at a replica of Gorilla.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The id of the tenure that it would begin.
    pub id: Id,
    /// The client.
    pub client: u8,
    /// Which request of the client.
    pub request: u8,
    /// Where.
    pub replica: u8,
    /// The name under which it is remembered.
    pub name: Name,
    /// When it arrived in the queue.
    pub arrived: Arrived,
    /// The call under way.
    pub call: Call,
    /// Calls whose connection was given up: they may still be executed, and nobody hears the reply.
    pub strays: Vec<Sent>,
    /// Whether the client waits for the answer.
    pub live: bool,
    /// Whether the connection of a call broke.
    pub doubted: bool,
    /// Whether it is yet to be cancelled.
    pub owed: bool,
    /// Whether its cancellation was confirmed.
    pub cancelled: bool,
}

/// A request on its way to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sent {
    /// When it was sent.
    pub at: Ms,
    /// To which node.
    pub node: u8,
    /// Whether it asks to wait.
    pub wait: bool,
    /// When the attempt had arrived, as far as it was known then.
    pub arrived: Arrived,
}

/// The call of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// There is no call: the attempt waits to be called.
    None,
    /// It has not been executed.
    Sent(Sent),
    /// It was executed, and the reply is on its way.
    Replied {
        /// When the call was sent.
        at: Ms,
        /// What it says.
        told: Told,
    },
    /// No reply will come.
    Lost,
}

/// A reply to an acquire, as far as a replica or a client acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// Granted or replayed.
    Grant {
        /// Of the tenure.
        id: Id,
        /// Its token.
        token: Token,
        /// Its number.
        fence: u64,
        /// What is left of the lease.
        ttl: Ms,
        /// Whether the grant was made before.
        replayed: bool,
    },
    /// In the queue since then.
    Queued(Us),
    /// A copy has the place.
    Superseded,
    /// Refused; the request may be sent again.
    Refused,
    /// The request was granted, and that grant is over.
    Gone,
}

/// An extend or a release.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// The client.
    pub client: u8,
    /// The token that it was sent with.
    pub token: Token,
    /// To which node it was sent.
    pub node: u8,
    /// What the token is the right to, if it isn't the lock alone.
    pub share: Option<Share>,
    /// What it does.
    pub kind: Kind,
}

/// What an operation does, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It frees the lock; nobody acts on the reply.
    Release,
    /// It extends the lease, and was sent then.
    Extend {
        /// When it was sent.
        at: Ms,
        /// The token that replaces the other.
        new_token: Token,
    },
    /// It makes a grant of the other mode of the grant.
    Convert {
        /// When it was sent.
        at: Ms,
    },
    /// It has made a grant of the other mode, and the reply is on its way.
    Converted {
        /// When it was sent.
        at: Ms,
        /// The token of the new grant.
        token: Token,
        /// What the new grant is of a shared lock.
        share: Option<Share>,
        /// The number of the new grant.
        fence: u64,
    },
    /// It has extended the lease, and the reply is on its way.
    Extended {
        /// When it was sent.
        at: Ms,
        /// The new token.
        token: Token,
    },
}

/// How often things may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "The fields are those of `Bounds`")]
pub struct Left {
    pub unknowns: u8,
    pub cuts: u8,
    pub give_ups: u8,
    pub repeats: u8,
    pub crashes: u8,
    pub losses: u8,
}

/// What happened, for the properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notes {
    /// The largest fence that was answered.
    pub answered: u64,
    /// How many have come to wait.
    pub came: u8,
    /// The tokens that may act, where no data is lost: one, or those of the holders of a shared lock.
    pub current: BTreeSet<Token>,
    /// The largest fence of a grant that had the lock alone.
    pub alone: u64,
    /// Whether a lease in a group has ended by itself.
    pub ended: bool,
    /// Tenures whose clients were told of them, of those that last.
    pub told: BTreeSet<Id>,
    /// Clients of which an attempt was at a replica that was killed: only its lease ends such a lock.
    pub crashed: BTreeSet<u8>,
    /// What must not happen, and did.
    pub wrongs: BTreeSet<Wrong>,
}

/// What must not happen, where it is seen at the step and not at the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrong {
    /// A token that was released, expired or superseded acted.
    StaleTokenActed,
    /// A token acted on another tenure than its own.
    ForeignTokenActed,
    /// An acquire was granted after its cancellation had been confirmed.
    GrantedAfterCancel,
    /// A request that had been answered with a grant was granted once more.
    GrantedTwice,
    /// A client got the lock before a waiter that came earlier and met no fault.
    Overtook,
}

impl State {
    /// Whether a client may act on the lock.
    pub fn believes(&self, client: &Client) -> bool {
        client.grant.as_ref().is_some_and(|grant| !grant.released && self.tick < grant.until)
    }

    /// Whether nothing is under way that could still take a lock or give it back.
    pub fn is_settled(&self) -> bool {
        self.attempts.iter().all(|attempt| attempt.call == Call::None && attempt.strays.is_empty() && !attempt.owed)
    }

    /// The attempt of that id, which is not over.
    pub fn attempt(&mut self, id: Id) -> &mut Attempt {
        self.attempts.iter_mut().find(|attempt| attempt.id == id).expect("an action names an attempt that is under way")
    }

    /// Forgets the attempts of which nothing can come any more, so that states don't differ by them.
    pub fn tidy(&mut self) {
        let lasting = |id: &Id| self.nodes.iter().any(|node| node.holds(*id));
        self.notes.told.retain(lasting);
        self.attempts.retain(|attempt| attempt.live || attempt.owed || !attempt.strays.is_empty());
    }
}

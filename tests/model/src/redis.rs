//! What one resource has in Redis: the keys that the scripts read and write, as `docs/reference/redis-keys.md` lists
//! them.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
};

/// Names an attempt to acquire, and the tenure that it begins.
pub type Id = u8;
/// Milliseconds; a point in time counts from the beginning. The clock of the search ticks once a millisecond.
pub type Ms = u64;
/// Microseconds since the beginning.
pub type Us = u64;

/// The right to a lock. Each call that makes a token makes a new one, so a tenure and a number name a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// Whose right it is.
    pub tenure: Id,
    /// 0 for the token of the acquire; the tokens of extends count up from there.
    pub number: u8,
}

/// What a request wants of a shared lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Share {
    /// How many permits.
    pub permits: u8,
    /// The limit that it names, if it names one.
    pub limit: Option<u8>,
}

/// A time that replies tell and that decides nothing: states that differ only by it are one state to a search.
#[derive(Clone, Copy, Debug)]
pub struct Told(pub Ms);

impl PartialEq for Told {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Told {}

impl Hash for Told {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The live grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lock {
    /// Of the tenure.
    pub id: Id,
    /// The attempt whose owner it has: another than `id` after a conversion.
    pub owner: Id,
    /// The current token.
    pub token: Token,
    /// The number that orders grants.
    pub fence: u64,
    /// When it was granted.
    pub created: Ms,
    /// When it was extended last.
    pub updated: Told,
    /// When the key expires.
    pub expires: Ms,
}

/// A holder in a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The attempt whose owner it has.
    pub owner: Id,
    /// The current token.
    pub token: Token,
    /// The number that orders grants.
    pub fence: u64,
    /// How many permits it has.
    pub permits: u8,
    /// When it was granted.
    pub created: Ms,
    /// When it was extended last.
    pub updated: Ms,
    /// When its lease ends.
    pub expires: Ms,
}

/// The holders of a shared lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// By the ids of their tenures, those too whose leases have ended and that no script has taken out yet.
    pub members: BTreeMap<Id, Member>,
    /// The permits that they have.
    pub used: u32,
    /// The permits that they may have, if there is a limit.
    pub limit: Option<u8>,
    /// The fence of the first grant of the group.
    pub floor: u64,
    /// Waiters that arrived until then were called.
    pub bound: Us,
    /// The permits of the waiters that were called and are in the queue.
    pub reserved: u32,
}

impl Group {
    /// The holders in the order in which their leases end.
    pub fn by_end(&self) -> Vec<Id> {
        let mut ids: Vec<_> = self.members.keys().copied().collect();
        ids.sort_by_key(|id| (self.members[id].expires, *id));
        ids
    }

    /// The holder that ends last.
    pub fn last(&self) -> &Member {
        self.members.iter().max_by_key(|(id, member)| (member.expires, **id)).expect("a group has holders").1
    }
}

/// The limit of a resource, as it stands at a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// In force until it is unpinned.
    Pinned(u8),
    /// What requests in the queue have named.
    Named(Option<u8>),
}

/// Where an attempt stands in the queue. The order of the fields is that of the sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// When it came: the score.
    pub arrived: Us,
    /// Of the attempt.
    pub id: Id,
    /// Of the replica of Gorilla.
    pub channel: u8,
    /// What it wants, if it doesn't want the lock alone.
    pub share: Option<Share>,
}

/// The waiter that was woken and has not claimed the lock yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    /// When it was woken.
    pub since: Ms,
    /// Which attempt.
    pub id: Id,
}

/// The name under which a request is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// An Idempotency-Key.
    Key(u8),
    /// Without one, the id of the attempt.
    Attempt(Id),
}

/// What a request asked for, in so far as two requests differ.
pub type Fingerprint = u8;
/// From this on fingerprints are of requests for sets.
pub const SETS: Fingerprint = 100;

/// How a request ended, as its record says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing but marks.
    Cancelled,
    /// The attempt `id` waits, or did until lately.
    Waiting {
        /// Of the request.
        fingerprint: Fingerprint,
        /// The place that it has or comes back to.
        place: Place,
    },
    /// The grant as it was answered.
    Acquired {
        /// Of the request.
        fingerprint: Fingerprint,
        /// Of the tenure.
        id: Id,
        /// Its first token.
        token: Token,
        /// Its number.
        fence: u64,
        /// When.
        created: Ms,
        /// Of a part of a set: when the lease ends that its commit gave. 0 before the commit.
        ends: Option<Ms>,
    },
    /// The extension as it was answered.
    Extended {
        /// Of the request.
        fingerprint: Fingerprint,
        /// Of the tenure.
        id: Id,
        /// The new token.
        token: Token,
        /// When.
        updated: Ms,
    },
    /// The lock was released.
    Released {
        /// Of the request.
        fingerprint: Fingerprint,
    },
    /// A holder was taken out by force.
    Broken {
        /// Of the request.
        fingerprint: Fingerprint,
        /// Of the tenure.
        id: Id,
        /// Its owner.
        owner: Id,
        /// Its number.
        fence: u64,
    },
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// How it ended.
    pub outcome: Outcome,
    /// The attempts that are to be refused: `-id`.
    pub cancelled: BTreeSet<Id>,
    /// The attempts that were answered from the record: `+id`.
    pub told: BTreeSet<Id>,
}

impl Record {
    /// A record without marks.
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome, cancelled: BTreeSet::new(), told: BTreeSet::new() }
    }

    /// The request that left it. `None` for a mere mark of cancelled attempts.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self.outcome {
            Outcome::Cancelled => None,
            Outcome::Waiting { fingerprint, .. }
            | Outcome::Acquired { fingerprint, .. }
            | Outcome::Extended { fingerprint, .. }
            | Outcome::Released { fingerprint }
            | Outcome::Broken { fingerprint, .. } => Some(fingerprint),
        }
    }
}

/// All keys of the resource on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Redis {
    /// Absent if the lock is free. Call [`Redis::expire`] before you read it.
    pub lock: Option<Lock>,
    /// The holders of a shared lock; then `lock` is absent.
    pub group: Option<Group>,
    /// The limit of the resource.
    pub limit: Option<Limit>,
    /// The last fence that was given; 0 if none was.
    pub fence: u64,
    /// The places, in the order in which the waiters came.
    pub queue: BTreeSet<Place>,
    /// The waiter that has the turn.
    pub turn: Option<Turn>,
    /// The records of all requests. None lapses: the window is longer than a run.
    pub requests: BTreeMap<Name, Record>,
    /// The tokens of grants that were broken, and when. None is forgotten: the time is longer than a run.
    pub broken: BTreeMap<Token, Ms>,
    /// With `failover_grace`: which incarnation of the data was seen here last.
    pub seen: Option<u8>,
    /// With `failover_grace`: when grants begin.
    pub grants_from: Ms,
}

impl Redis {
    /// Removes what has expired.
    pub fn expire(&mut self, now: Ms) {
        if self.lock.as_ref().is_some_and(|lock| lock.expires <= now) {
            self.lock = None;
        }
        if self.group.as_ref().is_some_and(|group| group.last().expires <= now) {
            self.group = None;
        }
    }

    /// Whether nobody holds the lock.
    pub fn is_free(&self) -> bool {
        self.lock.is_none() && self.group.is_none()
    }

    /// Whether the grant with this id holds the lock, alone or in a group.
    pub fn holds(&self, id: Id) -> bool {
        let member = self.group.as_ref().is_some_and(|group| group.members.contains_key(&id));
        member || self.lock.as_ref().is_some_and(|lock| lock.id == id)
    }
}

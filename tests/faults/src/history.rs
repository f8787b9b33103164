//! What the clients of a run saw, and what was done to it meanwhile: everything that a check needs, one JSON object a
//! line in a file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::heard::Heard;
pub use crate::moment::{Moment, SECOND};

/// A run from its beginning to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In no particular order.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A client asked for a lock.
    Acquire(Acquire),
    /// A client asked for several locks, all or none.
    Set(AcquireSet),
    /// A client sent many uses of tokens in one request. Each of them is a `Use` too.
    Batch(Batch),
    /// A client used a token.
    Use(Use),
    /// A client wrote to what the lock protects.
    Update(Update),
    /// A client read what the lock protects.
    Read(Read),
    /// A client that holds nothing asked who leads.
    Look(Look),
    /// Somebody who listens to the stream of events was told something.
    Heard(Heard),
    /// A lock was taken at the end, when all had gone, and given back.
    Visit {
        /// Which.
        resource: String,
        /// Its fence.
        fence: u64,
        /// When it was asked for.
        asked: Moment,
        /// When it was answered.
        answered: Moment,
    },
    /// A client broke a grant that it had been told of.
    Break(Break),
    /// A client pinned or unpinned a limit.
    Pin(Pin),
    /// Somebody who may look into Redis saw a place in a queue.
    Place {
        /// Whose queue.
        resource: String,
        /// The owner whose place it is; each acquire of a history has its own owner.
        owner: String,
        /// When it arrived, in microseconds since 1970 by Redis's clock.
        arrived: u64,
        /// When it was seen first.
        #[serde(default)]
        from: Moment,
        /// When it was seen last.
        #[serde(default)]
        until: Moment,
    },
    /// Somebody who may look into Redis saw this grant stand.
    Stood {
        /// Of which resource.
        resource: String,
        /// Its fence.
        fence: u64,
        /// The owner that it was granted to.
        #[serde(default)]
        owner: String,
        /// When it was seen first.
        from: Moment,
        /// When it was seen last.
        until: Moment,
    },
    /// Somebody who may look into Redis saw what it counts of a group, and counted it too.
    Counts {
        /// Whose group.
        resource: String,
        /// When.
        at: Moment,
        /// Permits that the holders have, as Redis counts them.
        used: u64,
        /// The same, counted.
        held: u64,
        /// Permits that are reserved for waiters that were called, as Redis counts them.
        reserved: u64,
        /// The same, counted.
        called: u64,
    },
    /// Somebody who may look into Redis saw the first request of a queue wait all the time, though it could have been
    /// granted the lock and had no turn.
    Idle {
        /// Whose queue.
        resource: String,
        /// The owner whose request it was.
        owner: String,
        /// Whether a script must have seen it: what the request waits for did not come free by itself, with time.
        missed: bool,
        /// When that was seen first.
        from: Moment,
        /// When it was seen last.
        until: Moment,
    },
    /// The nemesis did something, and undid it.
    Fault {
        /// What.
        what: String,
        /// When it began.
        from: Moment,
        /// When it was over and everything answered again.
        until: Moment,
    },
    /// How a resource was found long after everybody had gone.
    Left {
        /// Which.
        resource: String,
        /// The fence of the lock that was there, if one was.
        fence: Option<u64>,
        /// How many waited.
        waiting: u64,
    },
    /// A key that would stay for ever was found long after everybody had gone, and no pinned limit.
    Lasting {
        /// Its name.
        key: String,
    },
}

/// An acquire as its client saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acquire {
    /// The resource.
    pub resource: String,
    /// The owner. An acquire and its retries share an owner that no other acquire has.
    pub owner: String,
    /// Whether it was to wait.
    pub waits: bool,
    /// Its Idempotency-Key, if it had one.
    pub key: Option<String>,
    /// When it was sent.
    pub asked: Moment,
    /// When its answer had come; `None` if no answer came or the client had hung up.
    pub answered: Option<Moment>,
    /// The grant, if it was granted.
    pub grant: Option<Grant>,
    /// How long it had waited before its lease began, as the answer says. The lease counts from then at the earliest.
    #[serde(default)]
    pub waited: Moment,
    /// The fence of the lock that was in the way, if one was.
    pub held_by: Option<u64>,
    /// Whether the answer told what had happened: granted, refused, or not executed.
    pub known: bool,
    /// Whether it is a part of a set.
    #[serde(default)]
    pub in_set: bool,
}

/// A request for several locks, all or none, as its client saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AcquireSet {
    /// The owner. A set and its retries share an owner that no other request has.
    pub owner: String,
    /// How long it was to wait at most.
    pub wait: Moment,
    /// When it was sent.
    pub asked: Moment,
    /// When its answer had come; `None` if no answer came.
    pub answered: Option<Moment>,
    /// When the client gave up, if no answer had come.
    pub gave_up: Option<Moment>,
    /// Whether it hung up before it could have had an answer.
    pub hung_up: bool,
    /// Whether the answer told what had happened.
    pub known: bool,
    /// Each lock that it asks for, in the order of the request, as if it had been asked for alone.
    pub parts: Vec<Acquire>,
    /// What a grant told.
    pub told: Option<ToldSet>,
}

/// What the grant of a set told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToldSet {
    /// The resources, in the order of the answer.
    pub resources: Vec<String>,
    /// How long all of them are held.
    pub ttl: Moment,
}

/// Many uses of tokens in one request, as their client saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// When it was sent.
    pub asked: Moment,
    /// When its answer had come.
    pub answered: Moment,
    /// Whether the answer was to leave successes out.
    pub brief: bool,
    /// What it asked for, in order.
    pub items: Vec<Item>,
    /// How many items succeeded, failed, and have no known outcome, as the answer says.
    pub counts: [u64; 3],
    /// What the answer says of items, in its order.
    pub results: Vec<ItemResult>,
}

/// An item of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Of which lock.
    pub resource: String,
    /// What it is to do.
    pub kind: Kind,
    /// The fence of the grant that the token was given with.
    pub fence: u64,
    /// The token that was sent.
    pub token: u64,
    /// Whether an extend keeps the token.
    pub keeps: bool,
}

/// What the answer to a batch says of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemResult {
    /// Which item.
    pub index: u64,
    /// How the item ended.
    pub end: End,
    /// Whether it says that the outcome is unknown.
    pub unknown: bool,
    /// The resource that it is about, if it says one.
    pub resource: Option<String>,
}

/// A grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its fence.
    pub fence: u64,
    /// Stands for its token, which does not belong into a file.
    pub token: u64,
    /// How long the lease stood when it was answered.
    pub ttl: Moment,
    /// What it has of a shared lock; `None` if it has the lock alone.
    #[serde(default)]
    pub part: Option<Part>,
}

impl Grant {
    /// The largest fence that the resource must refuse nobody for: that of the first grant of the group, or its own.
    pub fn floor(&self) -> u64 {
        self.part.map_or(self.fence, |part| part.floor)
    }
}

/// What a grant has of a shared lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its permits.
    pub permits: u64,
    /// How many permits all holders may have, if there is a limit.
    pub limit: Option<u64>,
    /// The floor of the group.
    pub floor: u64,
}

/// An extend or a release as its client saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// Of which lock.
    pub resource: String,
    /// The fence of the grant that the token was given with.
    pub fence: u64,
    /// The token that was sent.
    pub token: u64,
    /// Its Idempotency-Key, if it had one.
    pub key: Option<String>,
    /// When it was sent.
    pub asked: Moment,
    /// When its answer had come, if one came.
    pub answered: Option<Moment>,
    /// What it was to do.
    pub kind: Kind,
    /// What the answer said of it.
    pub end: End,
}

/// What a token was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To renew a lease.
    Extend,
    /// To give a lock back.
    Release,
    /// To make a grant of another mode of it.
    Convert,
}

/// How the use of a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It acted. An extend gave another token of the same grant, a conversion another grant, a release nothing.
    Done(Grant),
    /// It was refused: the token is not the current token, or not any more.
    Refused,
    /// It was refused for another reason, and the token is what it was.
    Declined,
    /// It was not executed.
    NotExecuted,
    /// Nobody knows.
    Unknown,
}

/// A look at an election: who has the lock alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Which lock.
    pub resource: String,
    /// The term that was told, which is a fence; `None` if nobody led.
    pub term: Option<u64>,
    /// When the look began, at the earliest: when it was sent and, if it waited for news, after the wait.
    pub began: Moment,
    /// When its answer had come.
    pub answered: Moment,
}

/// A break of a grant by its fence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Break {
    /// Of which resource.
    pub resource: String,
    /// Of which grant.
    pub fence: u64,
    /// When it was sent.
    pub asked: Moment,
    /// When the answer had come that it was done, if such an answer came.
    pub done: Option<Moment>,
}

/// A limit that was pinned or unpinned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    /// Of which resource.
    pub resource: String,
    /// At how many permits; `None` to unpin it.
    pub limit: Option<u64>,
    /// When it was sent.
    pub asked: Moment,
    /// When the answer had come that it was done, if such an answer came.
    pub done: Option<Moment>,
}

/// A write to a register that a lock protects: what was read there, plus one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// Which lock, and so which register.
    pub resource: String,
    /// Under which fence.
    pub fence: u64,
    /// What was written.
    pub value: u64,
    /// Whether the register took it.
    pub accepted: bool,
    /// Whether the register compares fences.
    pub fenced: bool,
    /// When.
    #[serde(default)]
    pub at: Moment,
}

/// A read of a register that a lock protects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Which lock, and so which register.
    pub resource: String,
    /// Under which fence.
    pub fence: u64,
    /// What was there; `None` if the register refused the fence.
    pub value: Option<u64>,
    /// Whether the register compares fences.
    pub fenced: bool,
    /// When.
    pub at: Moment,
}

impl History {
    /// Reads a file that `write` made.
    ///
    /// # Errors
    /// If it can't be read, or a line of it is not an event.
    pub fn read(path: &Path) -> io::Result<Self> {
        let lines = BufReader::new(File::open(path)?).lines();
        let events = lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::from));
        Ok(Self { events: events.collect::<io::Result<_>>()? })
    }

    /// Writes one event a line.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for event in &self.events {
            serde_json::to_writer(&mut file, event)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }

    /// All acquires, also those that are parts of sets.
    pub fn acquires(&self) -> impl Iterator<Item = &Acquire> {
        self.events.iter().flat_map(|event| match event {
            Event::Acquire(acquire) => std::slice::from_ref(acquire),
            Event::Set(set) => set.parts.as_slice(),
            _ => &[],
        })
    }

    /// All sets.
    pub fn sets(&self) -> impl Iterator<Item = &AcquireSet> {
        self.events.iter().filter_map(|event| match event {
            Event::Set(set) => Some(set),
            _ => None,
        })
    }

    /// All batches.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.events.iter().filter_map(|event| match event {
            Event::Batch(batch) => Some(batch),
            _ => None,
        })
    }

    /// All uses of tokens.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.events.iter().filter_map(|event| match event {
            Event::Use(used) => Some(used),
            _ => None,
        })
    }

    /// All writes to registers.
    pub fn updates(&self) -> impl Iterator<Item = &Update> {
        self.events.iter().filter_map(|event| match event {
            Event::Update(update) => Some(update),
            _ => None,
        })
    }

    /// All reads of registers.
    pub fn reads(&self) -> impl Iterator<Item = &Read> {
        self.events.iter().filter_map(|event| match event {
            Event::Read(read) => Some(read),
            _ => None,
        })
    }

    /// All looks at elections.
    pub fn looks(&self) -> impl Iterator<Item = &Look> {
        self.events.iter().filter_map(|event| match event {
            Event::Look(look) => Some(look),
            _ => None,
        })
    }

    /// All that listeners were told.
    pub fn heard(&self) -> impl Iterator<Item = &Heard> {
        self.events.iter().filter_map(|event| match event {
            Event::Heard(heard) => Some(heard),
            _ => None,
        })
    }

    /// All breaks.
    pub fn breaks(&self) -> impl Iterator<Item = &Break> {
        self.events.iter().filter_map(|event| match event {
            Event::Break(broken) => Some(broken),
            _ => None,
        })
    }

    /// All changes of pinned limits.
    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        self.events.iter().filter_map(|event| match event {
            Event::Pin(pin) => Some(pin),
            _ => None,
        })
    }

    /// When faults were at work: from when to when.
    pub fn faults(&self) -> impl Iterator<Item = (Moment, Moment)> {
        self.events.iter().filter_map(|event| match event {
            Event::Fault { from, until, .. } => Some((*from, *until)),
            _ => None,
        })
    }

    /// Whether a fault was at work at some time from `first` to `last`, or was over less than `after` before.
    pub fn is_disturbed(&self, first: Moment, last: Moment, after: Moment) -> bool {
        self.faults().any(|(from, until)| from <= last && first <= until.saturating_add(after))
    }
}

//! What the clients of a run saw, and what was done to it meanwhile: everything that a check needs, one JSON object a
//! line in a file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// A moment on the one clock that all clients share, in nanoseconds since the run began.
pub type Moment = u64;

/// One second.
pub const SECOND: Moment = 1_000_000_000;

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
    /// A client used a token.
    Use(Use),
    /// A client wrote to what the lock protects.
    Update(Update),
    /// Somebody who may look into Redis saw a place in a queue for the first time.
    Place {
        /// Whose queue.
        resource: String,
        /// The owner whose place it is; each acquire of a history has its own owner.
        owner: String,
        /// When it arrived, in microseconds since 1970 by Redis's clock.
        arrived: u64,
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
    /// The fence of the lock that was in the way, if one was.
    pub held_by: Option<u64>,
    /// Whether the answer told what had happened: granted, refused, or not executed.
    pub known: bool,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Its fence.
    pub fence: u64,
    /// Stands for its token, which does not belong into a file.
    pub token: u64,
    /// How long the lease stood when it was answered.
    pub ttl: Moment,
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
}

/// How the use of a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It acted. An extend gave another token, and a lease for so long.
    Done {
        /// What it gave, 0 for a release.
        token: u64,
        /// For how long the lease stood, 0 for a release.
        ttl: Moment,
    },
    /// It was refused: the token is not the current token, or not any more.
    Refused,
    /// It was not executed.
    NotExecuted,
    /// Nobody knows.
    Unknown,
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

    /// All acquires.
    pub fn acquires(&self) -> impl Iterator<Item = &Acquire> {
        self.events.iter().filter_map(|event| match event {
            Event::Acquire(acquire) => Some(acquire),
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

    /// When faults were at work: from when to when.
    pub fn faults(&self) -> impl Iterator<Item = (Moment, Moment)> {
        self.events.iter().filter_map(|event| match event {
            Event::Fault { from, until, .. } => Some((*from, *until)),
            _ => None,
        })
    }
}

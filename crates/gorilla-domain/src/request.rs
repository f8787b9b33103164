//! What can be asked of a lock.

use std::time::Duration;

use crate::{Cursor, Lease, Metadata, Mode, Once, Owner, Replaces, ResourceName, Scope, Token};

/// Take a lock, or wait for it.
#[derive(Debug)]
pub struct Acquire {
    /// What to lock.
    pub resource: ResourceName,
    /// The label of the client that asks.
    pub owner: Owner,
    /// For how long.
    pub lease: Lease,
    /// What to keep with the lock.
    pub metadata: Metadata,
    /// How long to wait for it.
    pub wait: Duration,
    /// How to hold it.
    pub mode: Mode,
    /// How long before its arrival the request counts as having arrived, if it has to wait.
    pub headstart: Duration,
    /// What makes a later request replace this one in the queue, if anything.
    pub replaces: Option<Replaces>,
    /// Given if the request may come again.
    pub once: Option<Once>,
    /// Who takes it, if the caller is known.
    pub taker: Option<Taker>,
}

/// Who takes a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taker {
    /// The name of the identity.
    pub identity: String,
    /// How many locks it may hold at once, if there is a limit.
    pub max_held: Option<u32>,
}

/// Renew a lease.
#[derive(Debug)]
pub struct Extend {
    /// Which lock.
    pub resource: ResourceName,
    /// The right to it.
    pub token: Token,
    /// For how long from now.
    pub lease: Lease,
    /// What to keep with the lock in place of its metadata, if anything.
    pub metadata: Option<Metadata>,
    /// Whether the token stays.
    pub keeps_token: bool,
    /// How to hold the lock from now on, if not as before.
    pub convert: Option<Mode>,
    /// Given if the request may come again.
    pub once: Option<Once>,
}

/// Free a lock.
#[derive(Debug)]
pub struct Release {
    /// Which lock.
    pub resource: ResourceName,
    /// The right to it.
    pub token: Token,
    /// After what time the lock ends; zero to free it at once.
    pub after: Duration,
    /// Given if the request may come again.
    pub once: Option<Once>,
}

/// See a page of the held locks.
#[derive(Debug)]
pub struct List {
    /// How their names begin.
    pub prefix: String,
    /// Which of them the caller may see. Nothing: all.
    pub scope: Option<Scope>,
    /// Who holds them, if not anybody.
    pub owner: Option<Owner>,
    /// Where the page begins.
    pub from: Cursor,
    /// About how many locks to look at.
    pub limit: usize,
}

/// End a lock whose holder is gone, without its token.
#[derive(Debug)]
pub struct Break {
    /// Which lock.
    pub resource: ResourceName,
    /// The fencing token of the grant to end, if only that grant is meant.
    pub fence: Option<u64>,
    /// Why, for the audit log.
    pub reason: Option<String>,
    /// How long its holder may keep it, to come to an end; zero to end it at once.
    pub grace: Duration,
    /// Given if the request may come again.
    pub once: Option<Once>,
}

//! What belongs to a lock beside the lock itself.

/// What belongs to a lock, each at a key of its own beside that of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sibling<'a> {
    /// The last fence given, a string.
    Fence,
    /// The requests that wait, a sorted set.
    Queue,
    /// The waiter that has the turn to claim the lock, a string.
    Turn,
    /// When the lease of each holder of a shared lock ends, a sorted set.
    Holders,
    /// The fences of grants whose end by time was told lately, a set.
    Told,
    /// Which grants were broken lately, a hash.
    Broken,
    /// The limit of a resource, a string.
    Limit,
    /// The newest request that has joined the queue with this value of `replaces`, a string.
    Replaces(&'a str),
    /// What became of a request, a string. Its name is an Idempotency-Key or the id of an attempt.
    Request(&'a str),
}

impl Sibling<'_> {
    /// The key beside that of a lock.
    pub fn key(self, lock: &str) -> String {
        let stem = lock.strip_suffix("lock").unwrap_or(lock);
        match self {
            Self::Fence => format!("{stem}fence"),
            Self::Queue => format!("{stem}queue"),
            Self::Turn => format!("{stem}queue:turn"),
            Self::Holders => format!("{stem}holders"),
            Self::Told => format!("{stem}told"),
            Self::Broken => format!("{stem}broken"),
            Self::Limit => format!("{stem}limit"),
            Self::Replaces(value) => format!("{stem}queue:replaces:{value}"),
            Self::Request(name) => format!("{stem}request:{name}"),
        }
    }
}

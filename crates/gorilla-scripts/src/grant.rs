//! What replies tell of a grant.

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// A name for people.
    pub owner: String,
    /// The fence of the grant.
    pub fence: u64,
    /// What is left of the lease, in milliseconds.
    pub ttl: u64,
}

/// A grant, without its token. Times in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The same through all extends.
    pub id: String,
    /// A name for people.
    pub owner: String,
    /// JSON, as it was given.
    pub metadata: String,
    /// The number that orders grants.
    pub fence: u64,
    /// When it was granted.
    pub created: i64,
    /// When it was last extended.
    pub updated: i64,
    /// When its lease ends.
    pub expires: i64,
    /// What is left of the lease, in milliseconds.
    pub ttl: u64,
    /// The identity that took it, where a script tells it and one is known.
    pub by: Option<String>,
}

/// What a holder has of a shared lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many permits it has.
    pub permits: u32,
    /// How many permits all holders together may have, if there is a limit.
    pub limit: Option<u32>,
    /// The fence of the first grant of the group.
    pub floor: u64,
}

/// The group that shares a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// How many permits the holders have together.
    pub used: u64,
    /// How many permits they may have, if there is a limit.
    pub limit: Option<u32>,
    /// How many holders there are.
    pub holders: u64,
}

/// A grant with its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The token, which is the right to it.
    pub token: String,
    /// What the holder has of a shared lock; `None` if it has the lock alone.
    pub part: Option<Part>,
    /// The grant itself.
    pub tenure: Tenure,
}

/// A grant that was ended by force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The id of the tenure.
    pub id: String,
    /// The label of its holder.
    pub owner: String,
    /// The fence of the grant.
    pub fence: u64,
}

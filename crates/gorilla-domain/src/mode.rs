//! Whether a lock has one holder or several.

use crate::BrokenRule;

/// How a resource is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// By one holder.
    #[default]
    Exclusive,
    /// By a group of holders.
    Shared(Share),
}

/// What a holder takes of a shared lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many permits it takes.
    pub permits: Permits,
    /// How many permits all holders together may have, if the request says so. Otherwise a pinned limit counts or, if none
    /// is pinned, there is no limit.
    pub limit: Option<Permits>,
}

impl Mode {
    /// The share, if the lock is to be shared.
    pub fn share(self) -> Option<Share> {
        match self {
            Self::Exclusive => None,
            Self::Shared(share) => Some(share),
        }
    }
}

/// A whole number of permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permits(u32);

impl Permits {
    /// What a holder takes that doesn't say how many.
    pub const ONE: Self = Self(1);
    /// The largest number.
    pub const MOST: u32 = 1_000_000;

    /// Checks a number.
    pub fn new(number: u64) -> Result<Self, BrokenRule> {
        match u32::try_from(number) {
            Ok(number @ 1..=Self::MOST) => Ok(Self(number)),
            _ => Err(format!("must be a whole number from 1 to {}", Self::MOST).into()),
        }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The limit of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many permits all holders of the shared lock may have, if there is a limit in force.
    pub limit: Option<u32>,
    /// Whether it is pinned: in force also while nobody shares the lock or waits to share it.
    pub is_pinned: bool,
}

/// The group that shares a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// How many permits the holders have together.
    pub used: u64,
    /// How many permits they may have; `None` if there is no limit.
    pub limit: Option<u32>,
    /// How many holders there are.
    pub holders: u64,
}

/// What a holder has of a shared lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many permits it has.
    pub permits: u32,
    /// How many permits all holders together may have; `None` if there is no limit.
    pub limit: Option<u32>,
    /// The fence of the first grant of the present group of holders.
    pub floor: u64,
}

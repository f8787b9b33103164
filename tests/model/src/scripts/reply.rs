//! What the scripts say, by the names that they use themselves.

use crate::redis::{Id, Ms, Token, Us};

/// The reply of whichever script. An owner is named by the attempt that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "The heads of the scripts say what each is, and the fields have the names used there")]
pub enum Reply {
    Granted { fence: u64, created: Ms },
    Replayed { fence: u64, created: Ms, id: Id, token: Token, ttl: Ms },
    Queued { arrived: Us, fence: u64, look_in: Ms },
    Superseded,
    Shared,
    Held { owner: Id, fence: u64, ttl: Ms, waiting: usize, position: usize },
    Reserved { waiting: usize, position: usize },
    Full { waiting: usize },
    Gone,
    Reused,
    Cancelled,
    Recovering { left: Ms, waiting: usize, position: usize },
    Unsettled { left: Ms },
    Joined { fence: u64, created: Ms, turn: Ms, part: Part },
    Rejoined { fence: u64, created: Ms, id: Id, token: Token, ttl: Ms, part: Part },
    Crowd { owner: Id, fence: u64, ttl: Ms, waiting: usize, position: usize, crowd: Crowd },
    Limited { limit: Option<u8> },
    Crowded { holders: usize },
    Extended { token: Token, id: Id, owner: Id, fence: u64, times: Times, part: Option<Part> },
    ExtendReplayed { token: Token, id: Id, owner: Id, fence: u64, times: Times, part: Option<Part> },
    Missing,
    Mismatch,
    MismatchHeld { owner: Id, fence: u64, ttl: Ms },
    Shorter { ttl: Ms },
    Released { turn: Ms },
    ReleaseReplayed,
    CancelReleased { turn: Ms },
    Marked { turn: Ms },
    Kept { turn: Ms },
    Woken { turn: Ms },
    Broken { id: Id, owner: Id, fence: u64, turn: Ms },
    BreakReplayed { id: Id, owner: Id, fence: u64 },
    Changed { owner: Id, fence: u64, ttl: Ms },
    Unnamed { crowd: Crowd },
    PastBreak { at: Ms },
    NeverBroken,
    Shares { fence: u64, created: Ms, owner: Id, turn: Ms, part: Part },
    Alone { fence: u64, created: Ms, owner: Id },
    ConvertReplayed { token: Token, ttl: Ms },
    ConvertCrowd { owner: Id, fence: u64, ttl: Ms, crowd: Crowd },
    Limit { limit: Option<u8>, pinned: bool },
    PartHeld { ends: Ms, ttl: Ms, updated: Ms },
    PartCommitted { ends: Ms, ttl: Ms, updated: Ms },
    Lost,
    SetGranted { created: Ms, fences: Vec<u64> },
    SetBlocked { part: usize, why: Box<Reply> },
    SetUnsure { part: usize },
}

/// What a holder has of a shared lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "The heads of the scripts say what each is, and the fields have the names used there")]
pub struct Part {
    pub permits: u8,
    pub limit: Option<u8>,
    pub floor: u64,
}

/// What the holders of a shared lock have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "The heads of the scripts say what each is, and the fields have the names used there")]
pub struct Crowd {
    pub used: u32,
    pub limit: Option<u8>,
    pub holders: usize,
}

/// When a grant was made and extended, when it ends, and how long that is from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "The heads of the scripts say what each is, and the fields have the names used there")]
pub struct Times {
    pub created: Ms,
    pub updated: Ms,
    pub expires: Ms,
    pub ttl: Ms,
}

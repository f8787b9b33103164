//! What the scripts say, by the names that they use themselves.

use crate::redis::{Id, Ms, Token, Us};

/// The reply of whichever script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "The heads of the scripts say what each is, and the fields have the names used there")]
pub enum Reply {
    Granted { fence: u64, created: Ms },
    Replayed { fence: u64, created: Ms, id: Id, token: Token, ttl: Ms },
    Queued { arrived: Us, fence: u64, look_in: Ms },
    Superseded,
    Held { id: Id, fence: u64, ttl: Ms, waiting: usize, position: usize },
    Reserved { waiting: usize, position: usize },
    Full { waiting: usize },
    Gone,
    Reused,
    Cancelled,
    Recovering { left: Ms, waiting: usize, position: usize },
    Unsettled { left: Ms },
    Extended { token: Token, id: Id, metadata: u8, fence: u64, created: Ms, updated: Ms, expires: Ms, ttl: Ms },
    ExtendReplayed { token: Token, id: Id, metadata: u8, fence: u64, created: Ms, updated: Ms, expires: Ms, ttl: Ms },
    Missing,
    Mismatch,
    MismatchHeld { id: Id, fence: u64, ttl: Ms },
    Shorter { ttl: Ms },
    Released { turn: Ms },
    ReleaseReplayed,
    CancelReleased { turn: Ms },
    Marked { turn: Ms },
    Kept { turn: Ms },
    Woken { turn: Ms },
}

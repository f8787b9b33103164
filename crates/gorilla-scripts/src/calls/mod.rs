//! A file for each script: what it is called with, and what it replies. The header of the script in `lua/` says what
//! each argument and reply means.

mod acquire;
mod break_lock;
mod cancel;
mod confirm;
mod extend;
mod handover;
mod inspect;
mod ready;
mod release;
mod settle;
mod wake;

pub use acquire::{Acquire, AcquireReply, Claim, Try};
pub use break_lock::{Break, BreakReply};
pub use cancel::{Cancel, CancelReply};
pub use confirm::{Confirm, ConfirmReply};
pub use extend::{Extend, ExtendReply};
pub use handover::{Handover, HandoverReply};
pub use inspect::{Inspect, InspectReply};
pub use ready::Ready;
pub use release::{Release, ReleaseReply};
pub use settle::{Settle, Settled};
pub use wake::Wake;

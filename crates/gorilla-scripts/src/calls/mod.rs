//! A file for each script: what it is called with, and what it replies. The header of the script in `lua/` says what
//! each argument and reply means.

mod acquire;
mod break_lock;
mod cancel;
mod confirm;
mod convert;
mod extend;
mod handover;
mod hold;
mod inspect;
mod join;
mod limit;
mod queue;
mod ready;
mod release;
mod release_later;
mod settle;
mod shared_break;
mod shared_extend;
mod shared_inspect;
mod shared_release;
mod take_all;
mod wake;

pub use acquire::{Acquire, AcquireReply, Claim, Rank, Try};
pub use break_lock::{Break, BreakReply};
pub use cancel::{Cancel, CancelReply};
pub use confirm::{Confirm, ConfirmReply};
pub use convert::{Convert, ConvertReply};
pub use extend::{Extend, ExtendReply};
pub use handover::{Handover, HandoverReply};
pub use hold::{Held, Hold, HoldReply};
pub use inspect::{Inspect, InspectReply};
pub use join::Join;
pub use limit::{Limit, LimitReply};
pub use queue::{Place, Queue, QueueReply};
pub use ready::Ready;
pub use release::{Release, ReleaseReply};
pub use release_later::ReleaseLater;
pub use settle::{Settle, Settled};
pub use shared_break::SharedBreak;
pub use shared_extend::SharedExtend;
pub use shared_inspect::{SharedInspect, SharedInspectReply};
pub use shared_release::SharedRelease;
pub use take_all::{TakeAll, TakeAllReply};
pub use wake::Wake;

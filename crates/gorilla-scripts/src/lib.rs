//! The protocol between Gorilla and its Lua scripts on Redis, described once: the names of keys, what a script is
//! called with, what it replies, and its text. The store, the benchmark and the tests all use it.
//!
//! A call is a struct. serde packs its fields as MessagePack, and the script finds each argument under the name that its
//! header lists, in the same order. A reply is an enum. To add an argument, add a field to the struct and a line to the
//! header, and use it in the script; the compiler finds each call that must give it, and a test each header.

mod call;
mod calls;
mod grant;
mod keys;
mod noted;
mod reply;
mod request;
mod sibling;
mod slots;
mod text;

pub use call::Call;
pub use calls::{
    Acquire, AcquireReply, Break, BreakReply, Cancel, CancelReply, Claim, Confirm, ConfirmReply, Convert, ConvertReply,
    Expired, ExpiredReply, Extend, ExtendReply, Handover, HandoverReply, Held, Hold, HoldReply, Inspect, InspectReply,
    Join, Limit, LimitReply, Listen, ListenCluster, ListenClusterReply, ListenSlots, ListenSlotsReply, Listening,
    PastBreak, PastBreakReply, Place, Queue, QueueReply, Rank, Ready, Release, ReleaseLater, ReleaseReply, Renew,
    Renewed, Settle, Settled, SharedBreak, SharedExtend, SharedInspect, SharedInspectReply, SharedRelease, TakeAll,
    TakeAllReply, Try, Wake,
};
pub use grant::{Ended, Grant, Group, Holder, Part, Tenure};
pub use keys::Keys;
pub use noted::{Noted, NotedChange, Settlement, read_noted};
pub use reply::{Malformed, Reader, apart};
pub use request::{Request, together};
pub use sibling::Sibling;
pub use slots::{all_slots, slot_of, tag_of};
pub use text::{Constants, Recording, Script, Scripts};

//! The HTTP interface of Gorilla, described once. The server answers with these types, the Rust client reads them, and
//! docs/openapi.json is made from them (`make openapi`).

mod answer;
mod batch;
mod code;
mod election;
mod event;
#[cfg(feature = "openapi")]
pub mod openapi;
mod operation;
mod refusal;
mod refusals;
mod request;
mod seconds;

pub use answer::{
    Alive, Broken, Group, Health, Holder, Limit, Lock, LockSet, Mode, Page, Queue, Readiness, Ready, Share, State,
    Tenure, Token, Waiter,
};
pub use batch::{Batch, Batched, Item, ItemResult, MOST_ITEMS, Op};
pub use code::Code;
pub use election::{Campaign, Election, Keep, Leader, Leadership};
pub use event::{Bye, Control, EVENT_STREAM, EVENT_TYPES, Event, Events, History, Missed};
pub use operation::{BATCH, ELECTIONS, EVENTS, LIMITS, LOCKS, Operation, Right};
pub use refusal::{Error, Facts, Outcome, Problem};
pub use request::{Acquire, AcquireSet, Body, Break, Extend, Pin, Release, SetPart};
pub use seconds::seconds;

//! The scripts of `lua/`, each a function in a file of the same name that decides in the same order; `acquire` is `try`
//! and `claim`, `handover` is beside `release`, and `holders` is what a holder of a shared lock does. `group`, `limit`
//! and `shared` are what several of them share.
//!
//! Messages (`PUBLISH`) are left out: the search lets a waiter ask whenever a message could have told it to.

mod acquire;
mod cancel;
mod convert;
mod env;
mod extend;
mod grace;
mod group;
mod hold;
mod holders;
mod join;
mod limit;
mod release;
mod reply;
mod shared;
mod take_all;
mod wake;

pub use acquire::{Acquire, Arrived, acquire};
pub use cancel::{Cancel, cancel};
pub use convert::{Convert, convert};
pub use env::{Env, Grace};
pub use extend::{Extend, extend};
pub use grace::recovery;
pub use hold::{Hold, hold};
pub use holders::{Break, past_break, shared_break, shared_extend, shared_release};
pub use join::join;
pub use limit::{Change, limit};
pub use release::{Release, handover, release};
pub use reply::{Crowd, Part, Reply, Times};
pub use take_all::{TakeAll, take_all};
pub use wake::wake;

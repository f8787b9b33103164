//! The scripts of `lua/`, each a function in a file of the same name that decides in the same order; `acquire` is `try`
//! and `claim`, and `handover` is beside `release`.
//!
//! Messages (`PUBLISH`) are left out: the search lets a waiter ask whenever a message could have told it to.

mod acquire;
mod cancel;
mod env;
mod extend;
mod grace;
mod release;
mod reply;
mod shared;
mod wake;

pub use acquire::{Acquire, Arrived, acquire};
pub use cancel::{Cancel, cancel};
pub use env::{Env, Grace};
pub use extend::{Extend, extend};
pub use grace::recovery;
pub use release::{Release, handover, release};
pub use reply::Reply;
pub use wake::wake;

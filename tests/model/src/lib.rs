//! The protocol of Gorilla as a state machine, and a search through all its states.
//!
//! `README.md` beside this says what is covered. To read it: [`redis`] is what Redis keeps, [`scripts`] what it does,
//! [`state`] the state of clients and replicas, [`Action`] all that can happen, [`properties`] what must hold,
//! [`sets`] the same of several locks at once, [`searches`] what is searched.

mod actions;
pub mod bounds;
mod mistake;
pub mod properties;
mod protocol;
pub mod redis;
pub mod scripts;
mod search;
pub mod searches;
pub mod sets;
pub mod state;
mod steps;
pub mod table;

pub use actions::Action;
pub use bounds::Bounds;
pub use mistake::Mistake;
pub use protocol::Protocol;
pub use search::{Found, Search, Searched};

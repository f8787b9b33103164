//! What happens to locks, for everybody who listens. The scripts record it in Redis (`lua/lib/events.lua`); a reader of each
//! replica reads it for all listeners of the replica. It knows no HTTP. docs/internals/events.md says how it works.

mod board;
mod feed;
mod fold;
mod json;
mod line;
mod listener;
mod place;
mod reader;
mod reading;
mod recorded;
mod seeds;

pub use feed::{Feed, History, ListenError};
pub use listener::Listener;
pub use place::MOST_LISTENERS;
pub use recorded::{End, Recorded, Told};

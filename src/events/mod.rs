//! What happens to locks, for everybody who listens. The scripts record it in Redis (`lua/lib/events.lua`); a reader of each
//! replica reads it for all listeners of the replica. It knows no HTTP. docs/internals/events.md says how it works.

mod board;
mod feed;
mod json;
mod listener;
mod recorded;

pub use feed::{Feed, History, ListenError, MOST_LISTENERS};
pub use json::json;
pub use listener::Listener;
pub use recorded::{End, Recorded, Told};

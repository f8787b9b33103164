//! The commands that talk to a server: one file a command.

mod acquire;
mod asking;
mod break_lock;
mod cells;
mod events;
mod extend;
mod limit;
mod ls;
mod queue;
mod release;
mod remote;
mod sharing;
mod show;
mod status;
mod token;
mod wait;

pub use acquire::Acquire;
pub use asking::{Asking, Holding, duration, name};
pub use break_lock::Break;
pub use cells::age;
pub use events::Events;
pub use extend::Extend;
pub use limit::Limit;
pub use ls::Ls;
pub use queue::Queue;
pub use release::Release;
pub use remote::{API_KEY, Remote};
pub use status::Status;
pub use wait::Wait;

//! The commands that talk to a server: one file a command.

mod acquire;
mod asking;
mod break_lock;
mod extend;
mod ls;
mod release;
mod remote;
mod show;
mod status;
mod token;

pub use acquire::Acquire;
pub use asking::{Asking, duration};
pub use break_lock::Break;
pub use extend::Extend;
pub use ls::Ls;
pub use release::Release;
pub use remote::{API_KEY, Remote};
pub use show::age;
pub use status::Status;

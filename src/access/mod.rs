//! Who may do what: API keys, roles and their rights, read from the access file. This part knows neither HTTP nor Redis.
//! docs/reference/access-file.md is about the file.

mod current;
mod digest;
mod entry;
pub mod expiry;
mod file;
mod finding;
mod generation;
mod identity;
mod key;
mod meter;
mod name;
mod notes;
mod presented;
mod role;
mod rule;
mod source;
mod usage;
mod verb;

pub use current::Current;
pub use digest::Digest;
pub use entry::nearest;
pub use finding::{Finding, Problems, Warning};
pub use generation::{Access, Denied};
pub use identity::Identity;
pub use key::{Key, WrongKey};
pub use name::{Name, WrongName};
pub use presented::Presented;
pub use role::{Quota, Rate, Role};
pub use rule::{Rule, Target};
pub use source::read;
pub use usage::{Reached, Usages, Waiting};
pub use verb::Verbs;

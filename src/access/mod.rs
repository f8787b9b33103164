//! Who may do what: API keys, the roles that they have, and the access file that says both. It knows neither HTTP nor
//! Redis.

mod current;
mod file;
mod generation;
mod identity;
mod key;
mod names;
mod problems;
mod role;

pub use current::Current;
pub use generation::{Access, Denied};
pub use identity::Identity;
pub use key::{Digest, Key};
pub use problems::{Problems, Warning};
pub use role::{Quota, Role, Rule, Where};

//! The domain: what a lock is, what can be asked of one, and how that can end. Knows neither HTTP nor Redis.

mod idempotency;
mod invalid;
mod lease;
mod metadata;
mod outcome;
mod owner;
mod resource;
mod seconds;
mod token;
pub mod wait;

pub use idempotency::{Fingerprint, IdempotencyKey, Once};
pub use invalid::Invalid;
pub use lease::Lease;
pub use metadata::Metadata;
pub use outcome::{Acquired, Broken, Ended, Extended, Failure, Holder, Lock, Released, State, Tenure};
pub use owner::Owner;
pub use resource::ResourceName;
pub use token::Token;

//! The domain: what a lock is, what can be asked of it, and how that can end. It knows neither JSON nor HTTP nor Redis.

mod failure;
mod grant;
mod idempotency;
mod lease;
mod metadata;
mod mode;
mod outcome;
mod owner;
mod page;
mod queue;
mod replaces;
mod request;
mod resource;
mod rule;
mod scope;
mod set;
mod token;
mod verb;

pub use failure::Failure;
pub use grant::{Ended, Holder, Lock, State, Status, Tenure};
pub use idempotency::{Fingerprint, IdempotencyKey, Once};
pub use lease::Lease;
pub use metadata::Metadata;
pub use mode::{Group, Limit, Mode, Part, Permits, Share};
pub use outcome::{Acquired, Blocked, Blocker, Broken, Extended, Released};
pub use owner::Owner;
pub use page::{Cursor, Page};
pub use queue::{Line, Waiter};
pub use replaces::Replaces;
pub use request::{Acquire, Break, Extend, HeldQuota, List, Release};
pub use resource::ResourceName;
pub use rule::BrokenRule;
pub use scope::Scope;
pub use set::{AcquireSet, LockSet, SetAcquired};
pub use token::Token;
pub use verb::{UnknownVerb, Verb};

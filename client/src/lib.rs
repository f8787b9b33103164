#![doc = include_str!("../README.md")]
//!
//! # Locks that outlive a process
//!
//! If one process acquires a lock and another process releases it, the lock has no guard. A process that has the token
//! extends the lock.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), gorilla_client::Error> {
//! # let url = std::env::var("GORILLA_URL").expect("GORILLA_URL is the address of a server: run make test");
//! # use std::time::Duration;
//! # let client = gorilla_client::Client::new(url)?;
//! let lock = client.lock("deploy-doc").ttl(Duration::from_secs(60)).acquire_unguarded().await?;
//! let lock = client.extend("deploy-doc", &lock.token, Duration::from_secs(600)).await?;
//! assert_eq!(client.state("deploy-doc").await?.tenure.unwrap().fence, lock.fence);
//! client.release("deploy-doc", &lock.token).await?;
//! assert!(!client.state("deploy-doc").await?.held);
//! # Ok(()) }
//! ```
//!
//! # Errors
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), gorilla_client::Error> {
//! # let url = std::env::var("GORILLA_URL").expect("GORILLA_URL is the address of a server: run make test");
//! use gorilla_client::{Client, Error};
//!
//! let client = Client::new(url)?;
//! let guard = client.lock("errors-doc").owner("first").acquire().await?;
//! match client.lock("errors-doc").acquire().await {
//!     Err(Error::NotAcquired(busy)) => assert_eq!(busy.holder.unwrap().owner, "first"),
//!     other => panic!("{other:?}"),
//! }
//! guard.release().await
//! # }
//! ```

mod acquire;
mod adopt;
mod asking;
mod client;
mod clock;
mod elect;
mod error;
mod guard;
mod keeper;
mod kind;
mod leading;
mod lease;
mod loss_watch;
mod observe;
mod progress;
mod proxy;
mod renewals;
mod requests;
mod set;
mod terms;
mod ticket;
mod undo;
mod until;
mod watch;
mod watch_request;
mod why;
mod wire;

pub use acquire::LockRequest;
pub use adopt::Adoption;
pub use client::{Builder, Client};
#[cfg(feature = "test-clock")]
pub use clock::test_clock;
pub use clock::{Moment, sleep_until};
pub use elect::Campaign;
pub use error::{Busy, Error, Holder, Lost, Sharing};
/// One of the clients that share a lock.
#[doc(inline)]
pub use gorilla_wire::Holder as Member;
#[doc(inline)]
pub use gorilla_wire::{
    Broken, Code, Event, Events, Group, History, Limit, Lock, Missed, Mode, Page, Queue, Share, State, Tenure, Token,
    Waiter,
};
pub use guard::Guard;
pub use kind::Kind;
pub use leading::Leading;
pub use lease::{Grant, Lease};
pub use observe::Leader;
pub use progress::Progress;
pub use set::{GuardSet, LocksRequest, Part};
pub use ticket::Ticket;
pub use watch::{Told, Watch};
pub use watch_request::WatchRequest;
pub use why::{PastBreak, Why};

//! Acquires whose outcome nobody learns, or may not learn.

mod attempt;
mod cancel;
mod cancellations;

pub use attempt::Attempt;
pub use cancellations::Cancellations;

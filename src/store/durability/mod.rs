//! What Redis may lose: confirmations before an answer, and recovery after a loss.

mod confirm;
mod recovery;

pub use confirm::Effect;
pub use recovery::Recovery;

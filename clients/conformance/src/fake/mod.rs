//! A server that follows the script of a scenario.

mod answer;
mod rule;
mod script;
mod server;

pub use rule::Rule;
pub use server::Fake;

//! Standalone, Sentinel and Cluster as an operator sets them up: with a user that has few rights, and over TLS.

mod absent;
mod fred;
mod reshard;
mod secured;

pub use secured::rules;

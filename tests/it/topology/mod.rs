//! Standalone, Sentinel and Cluster as an operator sets them up: with a user that has few rights, and over TLS.

mod absent;
mod fred;
mod parts;
mod reshard;
mod secured;
mod switch;

pub use secured::rules;

//! Gorilla, a distributed lock service: HTTP in front of Redis. `api` asks `service`, which asks `store`; all of them
//! speak of locks in the words of the crate `gorilla-domain`. docs/internals/code-map.md says where things are.

pub mod access;

pub mod api;

pub mod audit;

pub mod events;

pub mod service;

pub mod store;

pub mod settings;

pub mod logging;

pub mod metrics;

mod json;

mod lag;

mod peer;

mod printable;

mod rfc3339;

pub mod reload;

pub mod serve;

pub mod commands;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

//! Gorilla, a distributed lock service: HTTP in front of Redis. The README has the code map; the dependencies point
//! inward, `http → lock ← store`.

pub mod lock;

pub mod store;

pub mod http;

pub mod settings;

pub mod logging;

mod json;

mod printable;

mod rfc3339;

pub mod serve;

pub mod commands;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

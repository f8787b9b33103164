//! HTTP: routes, what stands around each of them, and how requests are read and answered. `server` is the way of every
//! request; it asks the service and knows no Redis.

mod answer;
mod app;
mod body;
mod error;
mod fields;
mod invalid;
mod middleware;
mod routes;
mod seconds;
mod server;
mod shape;
mod target;

pub use server::Api;
#[cfg(any(fuzzing, test))]
pub(crate) use {fields::metadata, routes::parse_acquire, target::in_path};

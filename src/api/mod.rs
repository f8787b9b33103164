//! HTTP: routes, what Gorilla does around every request, and how it reads and answers requests. `server` is the way of
//! every request. Handlers ask the service; nothing here knows Redis.

mod answer;
mod app;
mod body;
mod error;
mod fields;
mod invalid;
mod items;
mod middleware;
mod query;
mod routes;
mod seconds;
mod server;
mod shape;
mod target;

pub use routes::events::Streaming;
pub use server::{Api, Connection};
#[cfg(any(fuzzing, test))]
pub(crate) use {fields::metadata, routes::parse_acquire, target::in_path};

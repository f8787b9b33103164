//! All integration tests, against real Redis servers and real replicas that the harness starts.

mod dev;
mod harness;
mod idempotency;
mod licences;
mod refusals;
mod scripts;
mod settings;
mod wire;

//! All integration tests, against real Redis servers and real replicas that the harness starts.

mod checker;
mod contention;
mod drain;
mod harness;
mod model;
mod outage;
mod wire;

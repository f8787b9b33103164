//! All integration tests, against real Redis servers and real replicas that the harness starts.

mod harness;
mod refusals;
mod wire;

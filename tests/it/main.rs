//! All integration tests, against real Redis servers and real replicas that the harness starts.

mod harness;
mod outage;
mod wire;

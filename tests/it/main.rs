//! All integration tests, against real Redis servers and real replicas that the harness starts.

mod access;
mod audit;
mod batch;
mod batching;
mod browsers;
mod cli;
mod client;
mod cluster;
mod contention;
mod dev;
mod documents;
mod drain;
mod failover;
mod fuzz;
mod idempotency;
mod licences;
mod load;
mod log_lines;
mod metrics;
mod model;
mod outage;
mod queue;
mod recovery;
mod refusals;
mod replicated;
mod scripts;
mod sets;
mod settings;
mod shared;
mod structure;
mod tls;
mod topology;
mod upgrade;
mod wire;

use gorilla_harness as harness;

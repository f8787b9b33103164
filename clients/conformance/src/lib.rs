//! Tests every client library of Gorilla: plays the server, breaks the network, and decides whether the client did
//! right. `README.md` has the protocol that the agents of the libraries speak, and the format of the scenarios.

mod agent;
mod fake;
mod leases;
mod link;
mod matching;
mod other;
mod report;
mod run;
mod scenario;
mod session;
mod steps;
mod verdict;
mod wire;

pub use report::{Report, Result, Status};
pub use run::{Runner, run_all};
pub use scenario::{Scenario, all_scenarios};

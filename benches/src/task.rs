//! What a contestant is asked to do in its turn.

use clap::Args;

use crate::{workload, workload::Workload};

/// What the clients do, and for how long. Clients that are programs of their own get it as arguments.
#[derive(Args, Clone, Copy, Debug)]
pub struct Task {
    /// What the clients do: own-locks or one-lock
    #[arg(value_parser = workload::named)]
    pub workload: &'static Workload,
    /// How many clients at once
    pub clients: usize,
    /// Seconds before anything counts
    pub warm_up: f64,
    /// Seconds that count
    pub measured: f64,
    /// With a rate, so many cycles a second are due over all clients, whether earlier cycles have ended or not: an open
    /// loop, which finds how long cycles take. Without a rate, each client begins its next cycle when its last cycle
    /// has ended: a closed loop, which finds how many cycles a second are possible.
    #[arg(skip)]
    pub rate: Option<f64>,
}

impl Task {
    /// The number of the lock that a client takes.
    pub fn lock(&self, client: usize) -> usize {
        if self.workload.one_lock { 0 } else { client }
    }
}

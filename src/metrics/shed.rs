//! Requests that a replica refuses because more come than it can serve, and how long they wait for it.

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

use super::table::Table;

/// In seconds.
const LAGS: [f64; 8] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0];

/// What is refused.
#[derive(Debug)]
pub struct Shed {
    refused: Table<Counter>,
    /// How long what is ready waits until the replica gets to it.
    pub lag: Histogram,
}

impl Default for Shed {
    fn default() -> Self {
        let labels = ["list", "inspect", "acquire"].map(|class| vec![("class", class)]);
        Self { refused: Table::new(labels, Counter::default), lag: Histogram::new(LAGS) }
    }
}

impl Shed {
    /// A request of the class with this number was refused.
    pub fn refused(&self, class: usize) {
        if let Some(count) = self.refused.get(class) {
            count.inc();
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests that were refused because more came than the replica can serve";
        registry.register("gorilla_shed", help, self.refused.clone());
        let help = "How long what is ready waits until the replica gets to it, in seconds";
        registry.register("gorilla_event_loop_lag_seconds", help, self.lag.clone());
    }
}

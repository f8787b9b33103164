//! The audit file.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::table::Table;
use crate::audit::Event;

/// The audit file.
#[derive(Debug)]
pub struct Audit {
    records: Table<Counter>,
    /// Attempts to write that failed, and records that were dropped.
    pub failures: Counter,
}

impl Default for Audit {
    fn default() -> Self {
        let labels = Event::ALL.map(|event| vec![("event", event.as_str())]);
        Self { records: Table::new(labels, Counter::default), failures: Counter::default() }
    }
}

impl Audit {
    /// A record was made.
    pub fn recorded(&self, event: Event) {
        if let Some(count) = self.records.get(event as usize) {
            count.inc();
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("gorilla_audit_records", "Records of the audit file", self.records.clone());
        let help = "Attempts to write the audit file that failed, and records that were dropped";
        registry.register("gorilla_audit_failures", help, self.failures.clone());
    }
}

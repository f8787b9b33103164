//! What operators see: the alerts and the dashboard in `deploy/`, checked by promtool and by a real Prometheus that reads
//! the metrics of a real replica.

mod alerts;
mod expressions;
mod prometheus;

use std::path::PathBuf;

/// Metrics that alerts and panels name, and that replicas do not have yet. A metric that is there must not be listed.
const NOT_YET: [&str; 1] = ["gorilla_tls_certificate_expiry_timestamp_seconds"];

/// A file or a folder of the project.
fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

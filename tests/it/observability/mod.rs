//! What operators see: the alerts and the dashboard in `deploy/`, checked by promtool and by a real Prometheus that reads
//! the metrics of a real replica.

mod alerts;
mod expressions;
mod prometheus;

use std::path::PathBuf;

/// A metric that is zero where a replica serves plain HTTP, as in the test: what asks for more shows nothing.
const MAY_BE_ZERO: &str = "gorilla_tls_certificate_expiry_timestamp_seconds";

/// A file or a folder of the project.
fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

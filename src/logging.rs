//! Where log lines go, and how they look.

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::{Log, LogFormat};

/// Begins to log to standard error. Lines are written by a thread of its own; dropping the guard writes the last ones.
pub fn begin(settings: &Log) -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(io::stderr());
    // The settings were checked by the same parser.
    let filter = EnvFilter::try_new(&settings.level.0).unwrap_or_default();
    let builder = fmt().with_env_filter(filter).with_writer(writer);
    let pretty = match settings.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    if pretty {
        builder.with_ansi(io::stderr().is_terminal()).with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
    guard
}

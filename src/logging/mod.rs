//! Where log lines go, and which form they have.

mod json;
mod lines;
mod pretty;

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, field::MakeExt, fmt};

use crate::settings::{Log, LogFormat};
use json::Json;
use lines::Lines;
pub use lines::{Writer, lost as lines_lost};

/// Begins to log to standard error. When the returned `Writer` is dropped, it writes the last lines.
pub fn begin(settings: &Log) -> io::Result<Writer> {
    let lines = Lines::default();
    // The settings were checked by the same parser.
    let filter = EnvFilter::try_new(&settings.level.0).unwrap_or_default();
    let builder = fmt().with_env_filter(filter).with_writer(lines.clone());
    let pretty = match settings.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    if pretty {
        let fields = fmt::format::debug_fn(pretty::field).delimited(" ");
        builder.fmt_fields(fields).with_ansi(io::stderr().is_terminal()).with_target(false).init();
    } else {
        builder.event_format(Json).init();
    }
    lines.write_to(io::stderr())
}

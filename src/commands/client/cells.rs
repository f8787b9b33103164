//! The parts of what the commands print for people.

use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use gorilla_client::Tenure;

use crate::printable::{for_people, in_json};

/// Cells of the bar that shows how much of a lease is left.
const BAR: usize = 10;
/// Below this part of the lease the bar is red.
const LOW: f64 = 0.2;

/// A table without lines.
pub fn plain() -> Table {
    let mut table = Table::new();
    // The columns are as wide as their content, so that a user can copy a token in one piece.
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Prints a table.
pub fn print(table: &Table) {
    for line in table.to_string().lines() {
        // The first column has a space on its left too.
        anstream::println!("{}", line.strip_prefix(' ').unwrap_or(line).trim_end());
    }
}

/// Text from the server or from other people, with escapes.
pub fn shown(text: &str) -> String {
    for_people(text).into_owned()
}

/// Metadata as JSON; None if there is none.
pub fn metadata(metadata: &serde_json::Value) -> Option<String> {
    let empty = metadata.as_array().is_some_and(Vec::is_empty);
    (!empty).then(|| in_json(metadata.to_string()))
}

/// A number and the word for what is counted.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

/// How long a lock has been held, by the clock of the server: its time is the end of the lease less the time that is
/// left.
pub fn age(tenure: &Tenure) -> String {
    let age = || {
        let now = time(&tenure.expire_at)?.checked_sub(Duration::from_millis(tenure.ttl_ms))?;
        now.duration_since(time(&tenure.created_at)?).ok()
    };
    let whole = Duration::from_secs(age().unwrap_or_default().as_secs());
    humantime::format_duration(whole).to_string()
}

/// How much of the lease is left, as a bar and in seconds.
pub fn left(tenure: &Tenure) -> String {
    let lease = || time(&tenure.expire_at)?.duration_since(time(&tenure.updated_at)?).ok();
    let lease = lease().unwrap_or_default().as_secs_f64();
    let seconds = tenure.ttl_ms as f64 / 1000.0;
    let part = if lease > 0.0 { (seconds / lease).clamp(0.0, 1.0) } else { 0.0 };
    let full = (part * BAR as f64).round() as usize;
    let color = if part < LOW { AnsiColor::Red } else { AnsiColor::Green };
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{}{}{style:#} {seconds:.1} s", "█".repeat(full), "░".repeat(BAR - full))
}

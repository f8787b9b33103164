//! What the commands print.

use std::time::{Duration, SystemTime};

use anstream::println;
use anstyle::{AnsiColor, Style};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use gorilla_client::{Lock, State, Tenure};
use serde::Serialize;

use crate::printable::{for_people, in_json};

/// Cells of the bar that shows how much of a lease is left.
const BAR: usize = 10;
/// Below this part of the lease the bar is red.
const LOW: f64 = 0.2;

/// How to print.
#[derive(Args)]
pub struct Form {
    /// Print JSON with the fields of the HTTP API
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only what a script needs: the token of a lock that was acquired or extended
    #[arg(short, long)]
    pub quiet: bool,
}

/// Prints a value as a line of JSON.
pub fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => println!("{}", in_json(line)),
        Err(error) => eprintln!("gorilla: can't print the answer: {error}."),
    }
}

impl Form {
    /// Prints a lock for its holder, with its token.
    pub fn lock(&self, lock: &Lock) {
        if self.json {
            return json(lock);
        }
        if self.quiet {
            return println!("{}", lock.token.expose());
        }
        let mut rows = vec![
            ("resource", shown(&lock.resource)),
            ("owner", shown(&lock.owner)),
            ("fence", lock.fence.to_string()),
            ("token", shown(lock.token.expose())),
            ("since", shown(&lock.created_at)),
            ("expires", format!("{}, in {:.1} s", shown(&lock.expire_at), lock.ttl.as_secs_f64())),
        ];
        rows.extend(meta(&lock.metadata));
        facts(rows);
    }

    /// Prints what every client may know about a resource.
    pub fn state(&self, state: &State) {
        if self.json {
            return json(state);
        }
        if self.quiet {
            return;
        }
        let mut rows = vec![("resource", shown(&state.resource))];
        match &state.tenure {
            Some(tenure) => {
                rows.push(("owner", shown(&tenure.owner)));
                rows.push(("fence", tenure.fence.to_string()));
                rows.push(("since", format!("{}, {} ago", shown(&tenure.created_at), age(tenure))));
                rows.push(("left", left(tenure)));
                rows.extend(meta(&tenure.metadata));
            }
            None => rows.push(("owner", "nobody".into())),
        }
        rows.push(("waiting", state.waiting.to_string()));
        facts(rows);
    }
}

/// Prints a table of resources.
pub fn list(states: &[State]) {
    let mut table = plain();
    table.set_header(["NAME", "OWNER", "FENCE", "AGE", "WAITING", "LEFT"]);
    for state in states {
        let Some(tenure) = &state.tenure else { continue };
        table.add_row([
            shown(&state.resource),
            shown(&tenure.owner),
            tenure.fence.to_string(),
            age(tenure),
            state.waiting.to_string(),
            left(tenure),
        ]);
    }
    print(&table);
}

fn facts(rows: Vec<(&str, String)>) {
    let mut table = plain();
    for (name, value) in rows {
        table.add_row([name.to_string(), value]);
    }
    print(&table);
}

fn plain() -> Table {
    let mut table = Table::new();
    // The columns are as wide as their content, so that a user can copy a token in one piece.
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for index in 0..6 {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
        }
    }
    table
}

fn print(table: &Table) {
    for line in table.to_string().lines() {
        println!("{}", line.trim());
    }
}

/// Text from the server or from other people, with escapes.
fn shown(text: &str) -> String {
    for_people(text).into_owned()
}

fn meta(metadata: &serde_json::Value) -> Option<(&'static str, String)> {
    let empty = metadata.as_array().is_some_and(Vec::is_empty);
    (!empty).then(|| ("metadata", in_json(metadata.to_string())))
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
fn left(tenure: &Tenure) -> String {
    let lease = || time(&tenure.expire_at)?.duration_since(time(&tenure.updated_at)?).ok();
    let lease = lease().unwrap_or_default().as_secs_f64();
    let seconds = tenure.ttl_ms as f64 / 1000.0;
    let part = if lease > 0.0 { (seconds / lease).clamp(0.0, 1.0) } else { 0.0 };
    let full = (part * BAR as f64).round() as usize;
    let color = if part < LOW { AnsiColor::Red } else { AnsiColor::Green };
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{}{}{style:#} {seconds:.1} s", "█".repeat(full), "░".repeat(BAR - full))
}

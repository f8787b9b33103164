//! The wire: what each operation answers to valid requests. `refusals` has the invalid requests.

mod break_lock;
mod conflicts;
mod envelope;
mod extend;
mod holder;
mod list;
mod metadata;
mod names;
mod openapi;
mod past_break;
mod privacy;
mod time;

use serde_json::Value;

/// The names of the members of an object, sorted, separated by spaces.
fn fields(object: &Value) -> String {
    let mut names: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}
